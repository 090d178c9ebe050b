"""What the rounds of a rule in a public app should be, without messages.

A node is a worker; it makes y of the model x that it gets, and sends it back with its number of
examples. The model takes the row x - y, or its signs. Training and Updates are the real ones: an
error of theirs cannot be found here.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from flwr.app import Message

from signfed import RobustStrategy
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import Federation, Participation
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import plain
from tests.simulation.expected import Expected
from tests.simulation.outcome import Content, Life, Outcome, Violation
from tests.simulation.presence import Presence
from tests.simulation.public_answers import Asked, PublicAnswers, holds
from tests.simulation.public_app import loss_of, middle
from tests.simulation.seams import DIMENSIONS

TRAIN, EVALUATE = "train", "evaluate"
Part = tuple[int, str]  # a round, and whether it trains or evaluates


class PublicModel(Expected):
    """The run without messages: fed with the rows of the replies that the server took."""

    def __init__(
        self, rule: RobustStrategy, mod: str, x: torch.Tensor, kept: Callable[[int], bool],
        remembered: int, before: PublicModel | None = None, done: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(kept)
        self._remembered = remembered
        self.signs = rule.encoder != "float32"  # of several encoders of signs
        self._codec = CODECS["sign" if self.signs else "float32"]
        step = Step(0.001 if self.signs else 1.0)
        federation = Federation(Participation(1), self._codec, "", step, edges=(0, DIMENSIONS))
        self._options = rule.nodes
        self.presence = Presence({})  # a node of another's app is not asked who it is
        self.answers = self  # which says what changed rows are worth
        self._nodes = PublicAnswers(mod, self._codec, self.signs)
        self.numbers: dict[int, int] = {}  # node -> worker, in the order of the first request
        self._there: dict[int, int] = {}  # worker -> the last round in which its node was connected
        self._next = 0  # the number of a new node
        self.training = Training(rule, federation, x)
        if before and done:
            self.numbers = self._go_on(before, done)
            kept = before.history[done].state
            self._next = int(kept["next"])
            self._there = dict(zip(kept["workers"].tolist(), kept["there"].tolist(), strict=True))
        self._partitions: dict[int, int] = {}  # node -> partition
        self._requests: dict[str, tuple[Asked, Part]] = {}  # by message
        self._pulled: set[str] = set()
        self._begin(done + 1)

    def _begin(self, server_round: int) -> None:
        self.round, self.late = server_round, 0
        self._part: Part = server_round, TRAIN
        self._asked: dict[str, list[int]] = {TRAIN: [], EVALUATE: []}
        self._healed: dict[str, set[int]] = {TRAIN: set(), EVALUATE: set()}
        self._remedied: dict[str, set[int]] = {TRAIN: set(), EVALUATE: set()}
        self._outcomes = dict[int, Outcome]()
        self._x = self._noted()
        self._counted: tuple[Updates | None, dict[int, str]] = None, {}
        self._record: RoundRecord | None = None
        self._claims = dict[int, float]()  # node -> what it says that the new model is worth

    def unheard(self, message: Message) -> None:
        """A node that does not get its request of this round gets one in the next."""

    def _noted(self) -> np.ndarray:
        """The model as it is, which nodes may be asked about."""
        x = self.training.parameters.numpy().copy()
        self._nodes.models[self.training.taken] = x
        return x

    def asked(self, message: Message, node: int, partition: int, server_round: int) -> None:
        """The server sends a request to train or to evaluate."""
        part = server_round, message.metadata.message_type
        if part != self._part:
            raise Violation("record", f"asked to {part}; it is {self._part}")
        if part[1] == EVALUATE:
            self._advanced()
        if node not in self._healed[part[1]]:
            self._asked[part[1]].append(node)
        elif node in self._remedied[part[1]]:
            raise Violation("record", f"node {node} gets what it lacks twice in {part}")
        else:
            self._remedied[part[1]].add(node)
        self._partitions[node] = partition
        if part[1] == TRAIN:
            self.numbers.setdefault(node, self._next)
            self._next = max(self._next, self.numbers[node] + 1)
            self._there[self.numbers[node]] = server_round
        taken, x = self.training.taken, self.training.parameters.numpy()
        request = Asked.of(message, node, self.numbers.get(node, -1), partition, taken)
        if bool(plain.header(message.content)) != self.signs:
            raise Violation("record", f"{part}: a header of ours is for signs alone")
        if request.version != taken:
            raise Violation("record", f"version {request.version}; steps taken: {taken}")
        if request.steps is None and not holds(message, x):
            raise Violation("model", f"node {node} is sent another model in {part}")
        self._requests[message.metadata.message_id] = request, part

    def answered(self, message: Message, reply: Message, life: Life) -> Outcome:
        """What a node's reply is worth, and whether it is what it should be."""
        request, part = self._requests[message.metadata.message_id]
        outcome = self._nodes.answered(request, reply, life)
        # Of what is over: late, whatever it holds.
        return outcome if part == self._part else Outcome()

    def changed(self, content: Content, payload: bytes) -> Outcome:
        """What a reply is worth whose model has these bytes."""
        if not content.rows:
            return Outcome(content=content)
        [worker] = content.rows
        if self._nodes.packed:
            row = np.frombuffer(payload, np.uint8)
            if fault := self._codec.fault(row, DIMENSIONS):
                return Outcome(content=Content({}, {worker: str(fault)}))
            return Outcome(content=Content({worker: row}))
        y = np.frombuffer(payload, np.float32)
        with np.errstate(all="ignore"):
            update = self._x - y
        if not np.isfinite(update).all():
            return Outcome(content=Content({}, {worker: str(DropReason.NON_FINITE)}))
        return Outcome(content=Content({worker: self._codec.encode(update)}))

    def heard(self, message_id: str) -> bool:
        return message_id in self._pulled

    def pulled(self, message_id: str, reply: Message, outcome: Outcome) -> None:
        """The server takes a reply; its first word counts."""
        if message_id in self._pulled:
            return
        self._pulled.add(message_id)
        request, part = self._requests[message_id]
        node, genuine = request.node, not reply.has_error()
        genuine = genuine and outcome != Outcome.of("wrong-sender")
        if part != self._part:
            self.late += genuine
        elif outcome.content and outcome.content.lacking:
            if node in self._healed[part[1]]:
                self._outcomes.setdefault(node, Outcome.of("malformed"))
            self._healed[part[1]].add(node)
        elif part[1] == TRAIN:
            self._outcomes.setdefault(node, outcome)
        elif genuine:
            x = self.training.parameters.numpy()
            self._claims.setdefault(node, loss_of(x, request.partition))

    def _workers(self) -> list[int]:
        return sorted(self.numbers[node] for node in self._asked[TRAIN])

    def _count(self, said: dict[int, str]) -> tuple[Updates | None, dict[int, str]]:
        rows, faults = dict[int, np.ndarray](), dict[int, str]()
        for node in self._asked[TRAIN]:
            outcome, worker = self._outcomes.get(node, Outcome.of("no-reply")), self.numbers[node]
            content = outcome.content
            if outcome.reasons and (content is None or said.get(worker) in outcome.reasons):
                given = said.get(worker)
                faults[worker] = given if given in outcome.reasons else min(outcome.reasons)  # type: ignore[assignment]
            elif content is not None:
                rows |= content.rows
                faults |= content.faults
        self._part = self.round, EVALUATE
        mine = Updates.from_rows(rows, self._codec, DIMENSIONS, self.round) if rows else None
        return mine, faults

    def _advanced(self) -> RoundRecord:
        """The round's step, taken once; the record of it."""
        if self._record is None:
            updates, faults = self._counted
            asked = self._asked[TRAIN]
            self._forget()
            self._record = record = RoundRecord(self.round, nodes=len(asked))
            record.drop({worker: DropReason(reason) for worker, reason in faults.items()})
            self.training.quorum = max(1, ceil(self._options.quorum * len(asked) - 1e-9))
            if self.training.advance(updates, record) and updates is not None:
                ids = set(updates.ids.tolist())
                partitions = [
                    loss_of(self._x, self._partitions[n]) for n in asked if self.numbers[n] in ids
                ]
                record.claims["train"] = middle(partitions)
        return self._record

    def _forget(self) -> None:
        """Of nodes that are away, keep those that were there last."""
        away = []
        for node, worker in self.numbers.items():
            if node in self.presence.connected:
                self._there[worker] = self.round
            else:
                away.append((self._there[worker], worker, node))
        gone = sorted(away, reverse=True)[self._remembered :]
        self.training.rule.forget_workers([worker for _, worker, _ in gone])
        for _, worker, node in gone:
            del self.numbers[node]
            del self._there[worker]

    def close(self, line: str | None, state: State | None) -> None:
        """The round is over; None when the server gave the run up in it."""
        record = self._advanced()
        if line is None or state is None:
            raise Violation("record", f"round {self.round} was given up; it was usable")
        self._all_asked(TRAIN, self._options.fraction_train)
        self._all_asked(EVALUATE, self._options.fraction_evaluate)
        record.late = self.late
        record.healed = sum(map(len, self._healed.values()))
        if self._claims:
            record.claims["evaluate"] = middle([*self._claims.values()])
        record.add_scores({"test_loss": loss_of(self.training.parameters.numpy(), 0)})
        self._settle(line, record, state, self.numbers)
        self._begin(self.round + 1)

    def _all_asked(self, part: str, fraction: float) -> None:
        """So many of the connected nodes as were wanted were asked, each once."""
        asked, there = self._asked[part], self.presence.connected
        wanted = min(max(int(len(there) * fraction), 1), len(there)) if fraction else 0
        if len(asked) != wanted or not set(asked) <= set(there) or len(set(asked)) < len(asked):
            raise Violation("record", f"asked {asked} to {part}; there are {there}")

    def state(self) -> State:
        """What a checkpoint should hold now."""
        workers = sorted(self._there)
        node_of = {worker: node for node, worker in self.numbers.items()}
        nodes = np.array([node_of[worker] for worker in workers], np.uint64)
        mine = {"workers": torch.tensor(workers, dtype=torch.int64)}
        mine |= {"nodes": torch.from_numpy(nodes.view(np.int64)), "next": torch.tensor(self._next)}
        mine["there"] = torch.tensor([self._there[w] for w in workers], dtype=torch.int64)
        return self.training.state_dict() | mine
