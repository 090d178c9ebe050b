"""The server's end of a run's messages: whom a round asks, what they are sent, what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.attendance import Attendance, Hosts
from signfed.strategies.server.transport.downlink import Compose, Downlink, Lack
from signfed.strategies.server.transport.exchange import Pending, arrived, push, replies
from signfed.strategies.server.transport.intake import Intake
from signfed.strategies.server.transport.measure import size


class Dialect(Protocol):
    """How a model is sent and rows come back; all else about a round is the same in each."""

    bytes_per_worker: int  # of an honest reply

    def requests(
        self, nodes: list[int], lack: Lack, server_round: int, config: Mapping[str, Any], ttl: float
    ) -> list[Message]:
        """Return one training request per node.

        Parameters
        ----------
        nodes : list of int
        lack : Lack
            What all of them lack of the model.
        server_round : int
        config : mapping
            What else the requests hold.
        ttl : float
            Seconds after which they expire.
        """

    def open_reply(
        self, reply: Message, workers: tuple[int, ...], server_round: int
    ) -> tuple[dict[int, np.ndarray], dict[int, DropReason]]:
        """Return the valid rows by worker, and the reason of every other one. Never raises.

        Parameters
        ----------
        reply : Message
        workers : tuple of int
            Those for which its sender may speak.
        server_round : int
        """

    def read_lacking(self, reply: Message) -> int | None:
        """Return the version that a sender holds which cannot follow, -1 for none; else None."""

    def holds(self, reply: Message, version: int) -> bool:
        """Tell whether the sender keeps this version of the model, by its own word.

        Parameters
        ----------
        reply : Message
        version : int
        """

    def said(self) -> dict[str, dict[str, Any]]:
        """Return what the workers of the round claim, for its record; it decides nothing."""

    def updates(self, rows: Mapping[int, np.ndarray], server_round: int) -> Updates:
        """Return what a rule gets of the valid rows.

        Parameters
        ----------
        rows : mapping
            Worker -> row, at least one.
        server_round : int
        """


class Link:
    """Carry all that goes to the nodes of a run and comes from them: a `Collector`.

    Parameters
    ----------
    training : Training
        Whose model is sent.
    grid : Grid
    dialect : Dialect
    attendance : Attendance
    timeout : float
        Seconds for the replies of a round; a request expires after as long.
    config : mapping, optional
        What else each request to a node holds.
    instructions : mapping, optional
        What the rule tells the nodes.
    replicas : bool
        Whether a node may keep the model and take the steps itself.

    Attributes
    ----------
    record : RoundRecord
        Of the round under way.
    asked : dict
        Node -> the workers that the round asks it for.
    """

    def __init__(
        self,
        training: Training,
        grid: Grid,
        dialect: Dialect,
        attendance: Attendance,
        *,
        timeout: float,
        config: Mapping[str, Any] | None = None,
        instructions: Mapping[str, Any] | None = None,
        replicas: bool = True,
    ) -> None:
        self._grid, self._dialect, self._attendance = grid, dialect, attendance
        self._timeout, self._config, self._rule_says = timeout, config or {}, instructions or {}
        self._intake = Intake(dialect.open_reply, dialect.bytes_per_worker)
        self._downlink = Downlink(training, replicas)
        # Of the round under way.
        self.record = RoundRecord(0)
        self._compose: Compose
        self.asked: Hosts = {}
        self._requests: list[Message] = []
        self._overdue: Pending = {}  # requests of the last round without a reply

    def state_dict(self) -> State:
        """Which node speaks for which workers."""
        return self._attendance.state_dict()

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        """Send the requests of the round and wait for the replies; a node that is new may join."""
        started = perf_counter()
        requests = self.requests(server_round, self._config)
        incoming = self.exchange(requests)
        self.record.seconds["clients"] = perf_counter() - started
        return self.open(server_round, incoming)

    def requests(self, server_round: int, config: Mapping[str, Any]) -> list[Message]:
        """Return the requests of a round: to each of its nodes, what it lacks of the model.

        Parameters
        ----------
        server_round : int
        config : mapping
            What else they hold.
        """
        self._attendance.wait(self._grid, server_round, self._timeout)
        self._downlink.stepped()
        self.asked = self._attendance.asked(server_round)
        config = {**config, **self._rule_says}
        messages = self.compose(
            self.asked,
            partial(
                self._dialect.requests, server_round=server_round, config=config, ttl=self._timeout
            ),
        )
        different = {id(m.content): m for m in messages}  # nodes share their content
        sizes = {content: size(message) for content, message in different.items()}
        self.record = RoundRecord(
            server_round,
            nodes=len(messages),
            downlink_bytes=sum(sizes[id(m.content)] for m in messages),
        )
        absent = self._attendance.absent(server_round, self.asked)
        self.record.drop(dict.fromkeys(absent, DropReason.NO_NODE))
        return messages

    def compose(self, nodes: Iterable[int], compose: Compose) -> list[Message]:
        """Return requests with what each node lacks.

        Parameters
        ----------
        nodes : iterable of int
        compose : callable
            Makes the requests to nodes that lack the same; heals those that cannot follow, too.
        """
        self._downlink.stepped()
        self._compose = compose
        self._requests = self._downlink.requests(nodes, compose)
        return list(self._requests)

    def exchange(self, requests: Iterable[Message]) -> list[Message]:
        """Return the replies to these requests; who cannot follow gets what it lacks, once."""
        self._requests = list(requests)
        for request, reply in arrived(self._grid, self._overdue):
            genuine = wire.is_from(reply, request.metadata.dst_node_id)
            self.record.late += genuine and not reply.has_error()
        self._overdue = pending = push(self._grid, self._requests)
        healed: set[int] = set()
        incoming = []
        for request, reply in replies(self._grid, pending, self._timeout):
            node = request.metadata.dst_node_id
            # The sender first: another node must not have this one's model sent again.
            if wire.is_from(reply, node) and not reply.has_error():
                held = self._dialect.read_lacking(reply)
                if held is None:
                    if self._dialect.holds(reply, self._downlink.version):
                        self._downlink.arrived(node)
                elif node in healed:
                    self._downlink.forget(node)
                else:
                    healed.add(node)
                    pending |= push(self._grid, [self._heal(node, held)])
                    continue
            incoming.append(reply)
        self.record.healed += len(healed)
        return incoming

    def _heal(self, node: int, held: int) -> Message:
        remedy = self._downlink.heal(node, held, self._compose)
        self.record.downlink_bytes += size(remedy)
        self._requests.append(remedy)
        return remedy

    def sent(self) -> dict[str, Message]:
        """Return the requests of the last exchange, by message id."""
        return {request.metadata.message_id: request for request in self._requests}

    def open(
        self, server_round: int, incoming: Iterable[Message]
    ) -> tuple[Updates | None, RoundRecord]:
        """Return the valid updates among the replies, None for none, and the record so far.

        Parameters
        ----------
        server_round : int
        incoming : iterable of Message
            Replies to `requests`, in any order.
        """
        record = self.record
        with record.timed("server"):
            received = self._intake.open(server_round, self.asked, self.sent(), incoming)
            record.drop(received.dropped)
            record.uplink_bytes = received.uplink_bytes
            record.claims |= self._dialect.said()
            if not received.rows:
                return None, record
            return self._dialect.updates(received.rows, server_round), record
