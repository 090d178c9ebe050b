"""The server's end of a run's messages: whom a round asks, what they are sent, what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flwr.app import Message
from flwr.serverapp import Grid

from signfed.strategies.server.federation import Federation
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.downlink import Downlink
from signfed.strategies.server.transport.exchange import Pending, arrived, push, replies
from signfed.strategies.server.transport.intake import Intake, Received
from signfed.strategies.server.transport.reception import Reception


class Link:
    """The nodes of one run and all that goes to them and comes from them.

    record: what is known so far of the round under way, fields of its line in `rounds.jsonl`.
    """

    def __init__(
        self,
        federation: Federation,
        training: Training,
        timeout: float,
        digest: Mapping[str, str] | None = None,
    ) -> None:
        """timeout: seconds for the replies of a round; a request expires after as long.

        digest: of what the run computes on, by part.
        """
        self.reception = Reception(federation.num_workers, federation.node_timeout, digest)
        self.record: dict[str, Any] = {}
        self._participation, self._quorum = federation.participation, federation.quorum
        self._intake = Intake(federation.codec, len(training.parameters))
        self._downlink = Downlink(training)
        self._timeout = timeout
        self._told: Mapping[str, Any] = {}
        self._asked: dict[int, tuple[int, ...]] = {}  # node -> its workers in this round
        self._requests: Pending = {}
        self._overdue: Pending = {}  # of the last round

    def await_nodes(self, grid: Grid, server_round: int) -> None:
        """Look for nodes, new ones too; wait for a quorum as long as for a round's replies."""
        chosen = self._participation.workers(server_round)
        self.reception.await_workers(grid, chosen, self._quorum, self._timeout)

    def requests(self, server_round: int, told: Mapping[str, Any]) -> list[Message]:
        """To each connected node that hosts workers of the round what it lacks of the model.

        told: what else goes into "config".
        """
        self._told = told
        chosen = self._participation.workers(server_round)
        self._asked = self.reception.hosts(chosen)
        messages = self._downlink.requests(self._asked, server_round, told, self._timeout)
        different = {id(m.content): m for m in messages}  # nodes share their content
        sizes = {content: wire.size(message) for content, message in different.items()}
        absent = len(chosen) - sum(map(len, self._asked.values()))
        self.record = {
            "round": server_round,
            "nodes": len(messages),
            "downlink_bytes": sum(sizes[id(m.content)] for m in messages),
            "dropped": {"no-node": absent} if absent else {},
        }
        return messages

    def exchange(self, grid: Grid, server_round: int, messages: list[Message]) -> list[Message]:
        """Send and gather the replies; who cannot follow gets what it lacks, once a round."""
        if late := sum(not reply.has_error() for _, reply in arrived(grid, self._overdue)):
            self.record["late"] = late
        pending = push(grid, messages)
        self._requests, healed, incoming = dict(pending), set(), []
        for request, reply in replies(grid, pending, self._timeout):
            node = request.metadata.dst_node_id
            held = wire.read_lacking(reply)
            if held is not None and node not in healed:
                healed.add(node)
                remedy = self._downlink.heal(node, held, server_round, self._told, self._timeout)
                self.record["downlink_bytes"] += wire.size(remedy)
                sent = push(grid, [remedy])
                self._requests |= sent
                pending |= sent
                continue
            if held is not None:
                self._downlink.forget(node)
            elif not reply.has_error():
                self._downlink.arrived(node)
            incoming.append(reply)
        if healed:
            self.record["healed"] = len(healed)
        self._overdue = pending
        return incoming

    def open(self, server_round: int, incoming: Iterable[Message]) -> Received:
        """The valid rows, and every other worker of the round under a reason."""
        received = self._intake.open(server_round, self._asked, self._requests, incoming)
        received.dropped.update(self.record["dropped"])
        dropped, uplink_bytes = dict(received.dropped), received.uplink_bytes
        self.record |= {"dropped": dropped, "uplink_bytes": uplink_bytes}
        return received

    def stepped(self) -> None:
        """The training has taken a step: it is what nodes lack from now on."""
        self._downlink.stepped()
