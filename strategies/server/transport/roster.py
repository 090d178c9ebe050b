"""Which node speaks for which workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor


class ClaimRefused(ValueError):
    """A node asked for workers that it cannot have."""


class WorkersTaken(ClaimRefused):
    """Another node has them, for now."""


class Roster:
    """Bind nodes to the worker ids 0..num_workers-1; each worker belongs to one node.

    Partition p of P hosts the workers p, p+P, p+2P, ... First come, first served: a node that
    claims a worker which is already bound is refused as a whole, unless the node that has it is
    gone: a device that was started again is another node to Flower. A binding of an earlier run is
    kept for its node, which has the workers once it has claimed them in this one.

    Parameters
    ----------
    num_workers : int
        M.
    """

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers
        self._workers: dict[int, tuple[int, ...]] = {}
        self._reserved: set[int] = set()  # nodes of an earlier run that have claimed nothing yet

    def claim(
        self, node: int, partition: int, num_partitions: int, connected: Collection[int]
    ) -> tuple[int, ...]:
        """Bind a node to its partition's workers, and return their ids, ascending.

        Parameters
        ----------
        node : int
            Which one.
        partition, num_partitions : int
            What it claims to be.
        connected : collection of int
            The nodes that are there.

        Returns
        -------
        tuple of int
            Their ids.

        Raises
        ------
        ClaimRefused
            When the partition is impossible or a worker is taken.
        """
        if not 0 <= partition < num_partitions:
            raise ClaimRefused(
                f"expected 0 <= partition-id < num-partitions, got {partition} of {num_partitions}"
            )
        workers = tuple(range(partition, self.num_workers, num_partitions))
        if node in self._reserved and self._workers[node] != workers:
            del self._workers[node]  # it is another partition than it was: two may have changed
            self._reserved.discard(node)
        holders = {n for n, ids in self._workers.items() if set(ids) & set(workers)} - {node}
        taken = {w for n in holders & set(connected) for w in self._workers[n]} & set(workers)
        if taken:
            raise WorkersTaken(f"workers {sorted(taken)} already belong to another node")
        for holder in holders:
            del self._workers[holder]
        self._reserved -= holders
        self._workers[node] = workers
        self._reserved.discard(node)
        return workers

    def items(self) -> list[tuple[int, tuple[int, ...]]]:
        """Return (node, its workers) for every node that hosts at least one."""
        return [(n, ids) for n, ids in self._workers.items() if ids and n not in self._reserved]

    def absent(self, connected: Collection[int]) -> list[int]:
        """Return the worker ids that no connected node hosts, ascending."""
        claimed = {w for node, ids in self.items() if node in connected for w in ids}
        return [w for w in range(self.num_workers) if w not in claimed]

    def state_dict(self) -> dict[str, Tensor]:
        """Return `nodes`, int64 [num_workers]: the bits of each worker's node id; 0 for none."""
        nodes = np.zeros(self.num_workers, np.uint64)
        for node, workers in self._workers.items():
            nodes[list(workers)] = node
        return {"nodes": torch.from_numpy(nodes.view(np.int64))}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take bindings of an earlier run: nobody else gets the workers of a node that is there.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned, among other things.
        """
        if "nodes" in state:
            nodes = state["nodes"].numpy().view(np.uint64).tolist()
            for node in set(nodes) - {0}:
                self._workers[node] = tuple(w for w, other in enumerate(nodes) if other == node)
                self._reserved.add(node)
