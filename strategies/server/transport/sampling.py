"""Who takes part in another's app: nodes, each a worker of its own, drawn anew in each round."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from logging import getLogger

import numpy as np
import torch
from flwr.serverapp import Grid

from signfed.strategies.core.rule import State
from signfed.strategies.core.seeds import generator
from signfed.strategies.server.federation import Admit, FederationError
from signfed.strategies.server.nodes import NodeOptions
from signfed.strategies.server.transport.attendance import Hosts
from signfed.strategies.server.transport.exchange import answered

log = getLogger("signfed")

FIRST_LOOK, LONGEST_LOOK, LOG_EVERY = 0.005, 0.5, 30.0  # seconds
REMEMBERED = 1_000  # nodes that are away; a node with a new key has a new id, for good


class Nodes:
    """Draw the nodes of another's app: an `Attendance`.

    A node is a worker. Its number is that of its first round: 0, 1, ... in the order in which nodes
    are first asked, by node id where several are new. So a rule that remembers a worker knows a
    node that comes back. In a federation with a roster the number is the partition of the node's
    key, whatever the node says of itself: a device with a new key has no new name. Without one, a
    new id is a new worker; so of nodes that are away only the 1,000 are remembered that were there
    last. Who comes back after that is new, and no number is given twice.

    Parameters
    ----------
    options : NodeOptions
    admit : callable, optional
        Which connected nodes take part, and as which partition; the others are not spoken to.

    Attributes
    ----------
    numbers : dict
        Node -> worker, of all that were asked so far and are not forgotten.
    """

    def __init__(self, options: NodeOptions, admit: Admit | None = None) -> None:
        self._options, self._admit = options, admit
        self._connected: list[int] = []
        self._partitions: dict[int, int] = {}  # node -> that of its key, where there is a roster
        self.numbers: dict[int, int] = {}  # node -> worker
        self._next = 0  # above all numbers that were ever given
        self._there: dict[int, int] = {}  # node -> the last round that it was connected in

    def gather(self, grid: Grid, state: State) -> None:
        """Wait for `min_available_nodes`; see `Attendance`."""
        if "nodes" in state:
            known = state["nodes"].numpy().view(np.uint64).tolist()
            self.numbers = dict(zip(known, state["workers"].tolist(), strict=True))
            self._there = dict(zip(known, state["there"].tolist(), strict=True))
            self._next = int(state["next"])
        needed, patience = self._needed, self._options.node_timeout
        if not self._wait(grid, needed, patience):
            raise FederationError(
                f"waited {patience:.0f} s for nodes: expected {needed}, got "
                f"{len(self._connected)}; start more SuperNodes, or lower min_available_nodes, "
                "min_train_nodes and min_evaluate_nodes"
            )

    def wait(self, grid: Grid, server_round: int, timeout: float) -> None:
        """Look for nodes; wait while fewer than `min_available_nodes` are there."""
        if not self._wait(grid, self._needed, timeout):
            log.warning("round %d: goes on with %d nodes", server_round, len(self._connected))

    @property
    def expected(self) -> int:
        """How many nodes a round of training asks, as things are."""
        return self._options.asked(len(self._connected), train=True)

    def asked(self, server_round: int) -> Hosts:
        """The nodes that train in the round, as many of them as Flower would ask."""
        chosen = self._drawn("train", server_round)
        for node in chosen:
            if node not in self.numbers:
                self.numbers[node] = self._partitions.get(node, self._next)
                self._next = max(self._next, self.numbers[node] + 1)
                log.info("node %d is worker %d", node, self.numbers[node])
        self._there |= {node: server_round for node in self._connected if node in self.numbers}
        return {node: (self.numbers[node],) for node in chosen}

    def forget(self) -> list[int]:
        """Forget the nodes that have been away for longest, where they are too many.

        Returns
        -------
        list of int
            Their workers, ascending; none in a federation with a roster.
        """
        away = set(self.numbers).difference(self._connected)
        if self._admit is not None or len(away) <= REMEMBERED:
            return []
        first = sorted(away, key=lambda node: (self._there[node], self.numbers[node]))
        gone = first[: len(away) - REMEMBERED]
        for node in gone:
            del self._there[node]
        return sorted(self.numbers.pop(node) for node in gone)

    def evaluators(self, server_round: int) -> list[int]:
        """Return the nodes that evaluate in the round."""
        return self._drawn("evaluate", server_round)

    def absent(self, server_round: int, asked: Hosts) -> Collection[int]:
        """Nobody: a node that is not connected is not drawn."""
        return ()

    def state_dict(self) -> State:
        """Return what is known of nodes, by their workers.

        Returns
        -------
        dict
            int64 [k], by ascending worker: `workers`; `nodes`, the bits of their ids; `there`, the
            last round in which each was connected. int64 []: `next`, the number of a new one.
        """
        known = sorted((worker, node, self._there[node]) for node, worker in self.numbers.items())
        workers, nodes, there = zip(*known, strict=True) if known else ((), (), ())
        ids = np.array(nodes, np.uint64).view(np.int64)
        return {
            "workers": torch.tensor(workers, dtype=torch.int64),
            "nodes": torch.from_numpy(ids),
            "there": torch.tensor(there, dtype=torch.int64),
            "next": torch.tensor(self._next),
        }

    @property
    def _needed(self) -> int:
        options = self._options
        least = [options.min_available_nodes, options.min_train_nodes]
        return max(*least, options.min_evaluate_nodes if options.fraction_evaluate else 1)

    def _drawn(self, purpose: str, server_round: int) -> list[int]:
        count = self._options.asked(len(self._connected), train=purpose == "train")
        if count >= len(self._connected):
            return self._connected if count else []
        draws = generator(self._options.sampling_seed, f"{purpose}-nodes", server_round)
        # Places, not ids: NumPy makes floats of ids on both sides of 2^63.
        chosen = sorted(draws.choice(len(self._connected), count, replace=False).tolist())
        return [self._connected[place] for place in chosen]

    def _present(self, grid: Grid) -> Iterable[int]:
        """The connected nodes that may take part."""
        if (admit := self._admit) is None:
            return answered(grid.get_node_ids, self._connected)
        self._partitions = answered(
            lambda: {node: claim[0] for node, claim in admit(grid).items()}, self._partitions
        )
        return self._partitions

    def _wait(self, grid: Grid, needed: int, timeout: float) -> bool:
        """Whether as many nodes are connected as are needed, before the time is over."""
        deadline, pause, said = time.monotonic() + timeout, FIRST_LOOK, -LOG_EVERY
        while True:
            self._connected = sorted(self._present(grid))
            remaining = deadline - time.monotonic()
            if len(self._connected) >= needed or remaining <= 0:
                return len(self._connected) >= needed
            if time.monotonic() - said >= LOG_EVERY:
                said = time.monotonic()
                log.info("waiting for nodes: %d of %d connected", len(self._connected), needed)
            time.sleep(min(pause, remaining))
            pause = min(pause * 1.5, LONGEST_LOOK)
