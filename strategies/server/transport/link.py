"""The server's end of a run's messages: whom a round asks, what they are sent, what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from flwr.app import Message
from flwr.serverapp import Grid

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.downlink import Downlink
from signfed.strategies.server.transport.exchange import Pending, arrived, push, replies
from signfed.strategies.server.transport.intake import Intake
from signfed.strategies.server.transport.measure import size
from signfed.strategies.server.transport.reception import Reception

NodesFn = Callable[[list[tuple[int, ...]]], None]  # gets the workers of each node


class Link:
    """Exchange messages with the nodes of one run: a `Collector`.

    Parameters
    ----------
    federation : Federation
        What the run needs besides its rule.
    training : Training
        Its rule and its model.
    grid : Grid
        Flower's.
    timeout : float
        Seconds for the replies of a round; a request expires after as long.
    config : mapping, optional
        What else each request to a node holds.
    digest : mapping, optional
        Of what the run computes on, by part.
    """

    def __init__(
        self,
        federation: Federation,
        training: Training,
        grid: Grid,
        timeout: float,
        config: Mapping[str, Any] | None = None,
        digest: Mapping[str, str] | None = None,
    ) -> None:
        self._federation, self._training, self._grid = federation, training, grid
        self._timeout, self._config = timeout, config or {}
        self._reception = Reception(federation.num_workers, federation.node_timeout, digest)
        self._intake = Intake(federation.codec, len(training.parameters))
        self._downlink = Downlink(training)
        # Of the round under way.
        self._record = RoundRecord(0)
        self._instructions: dict[str, Any] = {}
        self._asked: dict[int, tuple[int, ...]] = {}  # node -> its workers
        self._requests: list[Message] = []
        self._overdue: Pending = {}  # requests of the last round without a reply

    def gather(self, state: State, on_nodes: NodesFn | None = None) -> None:
        """Wait for the nodes.

        Parameters
        ----------
        state : State
            Bindings of an earlier run, if there are any.
        on_nodes : callable, optional
            Gets the workers of each node once all are there, and may raise.

        Raises
        ------
        FederationError
            When too few come.
        """
        self._reception.roster.load_state_dict(state)
        self._reception.gather(self._grid, self._federation.quorum)
        if on_nodes:
            on_nodes(list(self._reception.present().values()))

    def state_dict(self) -> State:
        """Which node speaks for which workers."""
        return self._reception.roster.state_dict()

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        """Send the requests of the round and wait for the replies; a node that is new may join."""
        started = perf_counter()
        federation = self._federation
        chosen = federation.participation.workers(server_round)
        self._reception.await_workers(self._grid, chosen, federation.quorum, self._timeout)
        requests = self.requests(server_round, self._config)
        incoming = self._exchange(server_round, requests)
        self._record.seconds["clients"] = perf_counter() - started
        return self.open(server_round, incoming)

    def requests(self, server_round: int, config: Mapping[str, Any]) -> list[Message]:
        """Make the requests of a round: to each connected node that hosts workers what it lacks.

        Parameters
        ----------
        server_round : int
            Number of the round.
        config : mapping
            What each request says besides.
        """
        federation = self._federation
        self._instructions = {**config, **self._training.rule.instructions(federation.num_workers)}
        self._instructions["encoder"] = federation.encoder
        self._downlink.stepped()
        chosen = federation.participation.workers(server_round)
        self._asked = self._reception.hosts(chosen)
        messages = self._downlink.requests(
            self._asked, server_round, self._instructions, self._timeout
        )
        self._requests = list(messages)
        different = {id(m.content): m for m in messages}  # nodes share their content
        sizes = {content: size(message) for content, message in different.items()}
        self._record = RoundRecord(
            server_round,
            nodes=len(messages),
            downlink_bytes=sum(sizes[id(m.content)] for m in messages),
        )
        absent = set(chosen).difference(*self._asked.values())
        self._record.drop(dict.fromkeys(absent, DropReason.NO_NODE))
        return messages

    def _exchange(self, server_round: int, requests: list[Message]) -> list[Message]:
        """Send and gather the replies; who cannot follow gets what it lacks, once a round."""
        for request, reply in arrived(self._grid, self._overdue):
            genuine = wire.is_from(reply, request.metadata.dst_node_id)
            self._record.late += genuine and not reply.has_error()
        self._overdue = pending = push(self._grid, requests)
        healed: set[int] = set()
        incoming = []
        for request, reply in replies(self._grid, pending, self._timeout):
            node = request.metadata.dst_node_id
            # The sender first: another node must not have this one's model sent again.
            if wire.is_from(reply, node) and not reply.has_error():
                held = wire.read_lacking(reply)
                if held is None:
                    self._downlink.arrived(node)
                elif node in healed:
                    self._downlink.forget(node)
                else:
                    healed.add(node)
                    pending |= push(self._grid, [self._heal(node, held, server_round)])
                    continue
            incoming.append(reply)
        self._record.healed = len(healed)
        return incoming

    def _heal(self, node: int, held: int, server_round: int) -> Message:
        remedy = self._downlink.heal(node, held, server_round, self._instructions, self._timeout)
        self._record.downlink_bytes += size(remedy)
        self._requests.append(remedy)
        return remedy

    def open(
        self, server_round: int, incoming: Iterable[Message]
    ) -> tuple[Updates | None, RoundRecord]:
        """Check the replies to `requests`.

        Parameters
        ----------
        server_round : int
            Number of the round.
        incoming : iterable of Message
            Replies, in any order.

        Returns
        -------
        tuple
            The valid updates, None when there is none, and the round's record so far.
        """
        record, codec = self._record, self._federation.codec
        with record.timed("server"):
            by_id = {request.metadata.message_id: request for request in self._requests}
            received = self._intake.open(server_round, self._asked, by_id, incoming)
            record.drop(received.dropped)
            record.uplink_bytes = received.uplink_bytes
            if not received.rows:
                return None, record
            n = len(self._training.parameters)
            return Updates.from_rows(received.rows, codec, n, server_round), record
