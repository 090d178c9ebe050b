"""The nodes of a simulated federation: they freeze, die, and come back, or another does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flwr.app import Context, RecordDict

from tests.simulation.clock import Clock
from tests.simulation.scenario import Fault

FIRST, ANOTHER, RIVAL = 100, 1000, 5000  # ids: of partition 0, and what is added to them


@dataclass
class Node:
    """A SuperNode. life: which of its lives this is, since a memory ends with one."""

    id: int
    partition: int
    context: Context
    life: int = 0
    connected: bool = True
    frozen_until: float = 0.0


class Nodes:
    """Those of one server process; one a partition to begin with."""

    def __init__(self, clock: Clock, partitions: int, config: Mapping[str, Any]) -> None:
        self._clock, self._partitions, self._config = clock, partitions, config
        self._all: dict[int, Node] = {}
        for partition in range(partitions):
            self._join(FIRST + partition, partition)

    def __getitem__(self, node: int) -> Node:
        return self._all[node]

    def connected(self) -> list[int]:
        return [node.id for node in self._all.values() if node.connected]

    def happen(self, node: Node, fault: Fault, round_timeout: float) -> None:
        """What becomes of a node when a request is on its way to it."""
        now = self._clock.now
        if fault.kind == "rival":
            rival = node.id + RIVAL
            soon = 0.1 * fault.share  # within the next rounds
            self._clock.at(now + soon, partial(self._join, rival, node.partition))
            if fault.size > round_timeout:  # and then it goes
                self._clock.at(now + fault.size, partial(self._leave, rival))
            return
        node.frozen_until = now + fault.size
        if fault.kind == "node-freezes":
            return
        node.connected = False
        if fault.kind == "node-dies-and-is-another":
            back = partial(self._join, node.id + ANOTHER, node.partition)
        else:
            back = partial(self._back, node, fault.kind == "node-dies-and-forgets")
        self._clock.at(now + fault.size, back)

    def _join(self, node: int, partition: int) -> None:
        place = {"partition-id": partition, "num-partitions": self._partitions}
        context = Context(1, node, place, RecordDict(), dict(self._config))
        self._all.setdefault(node, Node(node, partition, context))

    def _back(self, node: Node, forgets: bool) -> None:
        node.connected = True
        if forgets:
            node.context.state.clear()
            node.life += 1

    def _leave(self, node: int) -> None:
        self._all[node].connected = False
