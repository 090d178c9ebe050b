"""Which node speaks for which workers."""

from __future__ import annotations


class ClaimRefused(ValueError):
    """A node asked for workers that it cannot have."""


class Roster:
    """Binding of node ids to worker ids 0..num_workers-1; each worker belongs to one node.

    Partition p of P hosts the workers p, p+P, p+2P, ... First come, first served: a node that
    claims a worker which is already bound is refused as a whole.
    """

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers
        self._workers: dict[int, tuple[int, ...]] = {}

    def claim(self, node: int, partition: int, num_partitions: int) -> tuple[int, ...]:
        """Bind `node` to its partition's workers and return their ids, ascending.

        Raises ClaimRefused when the partition is impossible or a worker is taken.
        """
        if not 0 <= partition < num_partitions:
            raise ClaimRefused(
                f"expected 0 <= partition-id < num-partitions, got {partition} of {num_partitions}"
            )
        workers = tuple(range(partition, self.num_workers, num_partitions))
        taken = {w for ids in self._workers.values() for w in ids} & set(workers)
        if taken:
            raise ClaimRefused(f"workers {sorted(taken)} already belong to another node")
        self._workers[node] = workers
        return workers

    def items(self) -> list[tuple[int, tuple[int, ...]]]:
        """(node, its workers) for every node that hosts at least one."""
        return [(node, workers) for node, workers in self._workers.items() if workers]

    def unclaimed(self) -> list[int]:
        """Worker ids that no node hosts, ascending."""
        claimed = {w for ids in self._workers.values() for w in ids}
        return [w for w in range(self.num_workers) if w not in claimed]
