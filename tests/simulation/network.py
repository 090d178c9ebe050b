"""The nodes of a simulated federation and the way to them, with what goes wrong on it.

A Flower Grid whose nodes run the real ClientApp. What the runtime does of itself is done here, too:
a message that is not delivered within its time to live, and one to a node that is gone, come back
as errors of the SuperLink's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

from flwr.app import Error, Message, MessageType
from flwr.clientapp import ClientApp

from signfed.app.client_app import app as client_app
from tests.grid import InProcessGrid
from tests.simulation.clock import Clock
from tests.simulation.model import Model
from tests.simulation.nodes import Node, Nodes
from tests.simulation.outcome import Outcome
from tests.simulation.scenario import NODE, ON_THE_WAY, REPLY, SERVER, Fault, Scenario
from tests.simulation.tampering import CHANGES, Arrived, unasked

if TYPE_CHECKING:
    from tests.simulation.public_model import PublicModel

LATENCY = 0.03  # seconds, at most, each way
FOUND_GONE = 3.0  # seconds until the SuperLink says that a node is gone
BROKEN_PULLS = (1, 2, 50)
SUPERLINK = 1
REJECTED = (None, "")  # in place of an id: of Flower 1.41, of 1.43


class Network(InProcessGrid):
    """The Grid of one server process; `scenario.faults` happen on it."""

    def __init__(
        self, scenario: Scenario, clock: Clock, model: Model | PublicModel, config: dict[str, Any],
        done: set[Fault], counted: Counter[str], app: ClientApp = client_app,
    ) -> None:  # fmt: skip
        super().__init__(app, 0)
        self._scenario, self._clock, self._model = scenario, clock, model
        self._done, self._counted = done, counted
        self._there: dict[str, list[Arrived]] = {}
        self._unasked: list[Message] = []
        self._swallowed: set[str] = set()  # messages whose reply is there, and never comes
        self._round, self._messages = 0, 0
        self._round_key = "server-round" if scenario.public else "round"
        self.nodes = Nodes(clock, scenario.nodes, config)

    # -- faults -----------------------------------------------------------------------------------

    def _faults(self, server_round: int, partition: int, kinds: Iterable[str]) -> list[Fault]:
        """Those of this place that have not happened yet; they have now."""
        found = [
            f for f in self._scenario.faults
            if f.at == server_round and f.partition == partition and f.kind in kinds
            and f not in self._done
        ]  # fmt: skip
        self._done.update(found)
        self._counted.update(f.kind for f in found)
        return found

    def _delay(self, *key: object) -> float:
        return LATENCY * crc32(f"{self._scenario.seed} {key}".encode()) / (1 << 32)

    # -- Flower's Grid ----------------------------------------------------------------------------

    def get_node_ids(self) -> list[int]:
        connected = self.nodes.connected()
        self._model.presence.look(connected)
        return connected

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        ids = []
        for message in messages:
            self._messages += 1
            message_id = f"m{self._messages}"
            message.metadata.__dict__["_message_id"] = message_id
            ids.append(message_id)
            node = self.nodes[message.metadata.dst_node_id]
            of = self._round_of(message)
            if of > self._round:
                self._round = of
                self._of_the_server(of)
            if of:
                self._model.asked(message, node.id, node.partition, abs(of))
            else:
                self._model.questioned(message, node.id)
            if rejected := self._faults(of, node.partition, ("request-rejected",)):
                ids[-1] = REJECTED[int(2 * rejected[0].share)]  # type: ignore[call-overload]
                self._model.unheard(message)
                continue
            for fault in self._faults(of, node.partition, NODE):
                self.nodes.happen(node, fault, self._scenario.config["round-timeout"])
            self._send(message, node, of)
        return ids

    def _round_of(self, message: Message) -> int:
        """The round of a request, as faults have it: below zero for an evaluation, 0 for none."""
        kind = message.metadata.message_type
        if kind not in (MessageType.TRAIN, MessageType.EVALUATE):
            return 0
        of = int(message.content["config"][self._round_key])
        return of if kind == MessageType.TRAIN else -of

    def _of_the_server(self, server_round: int) -> None:
        for fault in self._scenario.faults:
            if fault.kind in SERVER and fault.at == server_round and fault not in self._done:
                self._done.add(fault)
                self._counted[fault.kind] += 1
                if fault.kind == "interrupted":
                    raise KeyboardInterrupt
                change = self._clock.jump if fault.kind == "clock-jumps" else self._clock.set_back
                self._clock.at(self._clock.now + LATENCY, partial(change, fault.size))

    def _send(self, message: Message, node: Node, of: int) -> None:
        now, ttl = self._clock.now, message.metadata.ttl
        expires = self._clock.wall() + ttl
        times = [now + self._delay("to", message.metadata.message_id)]
        for fault in self._faults(of, node.partition, ON_THE_WAY):
            if fault.kind == "request-lost":
                times = []
            elif fault.kind == "request-late":
                times = [t + fault.size for t in times]
            else:
                times = [*times, *(t + fault.size * fault.share for t in times)]
        for when in times:
            self._clock.at(when, partial(self._deliver, message, node, of, expires))
        self._clock.at(now + ttl, partial(self._expire, message, expires))

    def _deliver(self, message: Message, node: Node, of: int, expires: float) -> None:
        if self._clock.wall() >= expires:
            return
        if self._clock.now < node.frozen_until:
            when = node.frozen_until + 0.001
            self._clock.at(when, partial(self._deliver, message, node, of, expires))
            if not node.connected:
                gone = min(FOUND_GONE, expires - self._clock.wall())
                self._clock.at(self._clock.now + gone, partial(self._gone, message, node))
            return
        if not node.connected:
            return
        reply = self._app(message, node.context)
        outcome = self._model.answered(message, reply, (node.id, node.life))
        faults = self._faults(of, node.partition, REPLY)
        self._reply(message, reply, outcome, faults)

    def _reply(
        self, message: Message, reply: Message, outcome: Outcome, faults: list[Fault]
    ) -> None:
        when = self._clock.now + self._delay("from", message.metadata.message_id)
        arrivals = [(when, Arrived(reply, outcome))]
        changes = [f for f in faults if f.kind in CHANGES]
        for fault in [f for f in faults if f.kind not in CHANGES] + changes[:1]:  # two may cancel
            if fault.kind == "reply-lost":
                arrivals = []
            elif fault.kind == "reply-late":
                arrivals = [(t + fault.size, a) for t, a in arrivals]
            elif fault.kind == "reply-twice":
                again = [(t + fault.size * fault.share, copy(a)) for t, a in arrivals]
                arrivals = [*arrivals, *again]
            elif fault.kind == "reply-breaks-pull":
                for _, a in arrivals:
                    a.breaks = BROKEN_PULLS[int(3 * fault.share)]
            elif fault.kind == "reply-without-objects":
                arrivals = []
                self._lose_objects(message, when, int(3 * fault.share))
            elif fault.kind == "reply-unasked":
                self._clock.at(when, partial(self._unasked.append, unasked(reply, fault)))
            else:
                change = CHANGES[fault.kind]
                arrivals = [(t, change(a, fault, self._model.answers)) for t, a in arrivals]
        for t, arrived in arrivals:
            self._clock.at(t, partial(self._arrive, message.metadata.message_id, arrived))

    def _arrive(self, message_id: str, arrived: Arrived) -> None:
        self._there.setdefault(message_id, []).append(arrived)

    def _lose_objects(self, message: Message, when: float, how: int) -> None:
        """What a reply is made of is lost. Flower 1.41 says so at once, 1.43 says nothing.

        how: 0 for the former; 1 where the SuperLink calls it expired, 2 where it never does.
        """
        if how == 0:
            self._clock.at(when, partial(self._superlinks, message, Error(3, "objects are lost")))
        elif how == 2:
            self._swallowed.add(message.metadata.message_id)

    def _expire(self, message: Message, expires: float) -> None:
        if (left := expires - self._clock.wall()) > 1e-6:  # the clock was set back
            self._clock.at(self._clock.now + left, partial(self._expire, message, expires))
        elif message.metadata.message_id in self._swallowed:
            self._model.unheard(message)
        else:
            self._superlinks(message, Error(3, "Message Unavailable"))

    def _gone(self, message: Message, node: Node) -> None:
        if not node.connected:
            self._superlinks(message, Error(5, "Node Unavailable"))

    def _superlinks(self, message: Message, error: Error) -> None:
        """Its word in a node's place, where there is none of the node's."""
        message_id = message.metadata.message_id
        if message_id not in self._there and not self._model.heard(message_id):
            reply = Message(error, reply_to=message)
            reply.metadata.__dict__["_src_node_id"] = SUPERLINK
            self._arrive(message_id, Arrived(reply, Outcome.of("error")))

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        wanted = [a for i in message_ids for a in self._there.get(i, ())]
        broken = [a for a in wanted if a.breaks > 0]
        if broken:
            for arrived in broken:
                arrived.breaks -= 1
            raise ValueError("a reply that cannot be unpacked")
        found = []
        for message_id in reversed(list(message_ids)):
            for arrived in self._there.pop(message_id, ()):
                self._model.pulled(message_id, arrived.message, arrived.outcome)
                found.append(arrived.message)
        unasked, self._unasked = self._unasked, []
        return found + unasked
