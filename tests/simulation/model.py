"""What should be: the run as it is without messages, fed with exactly the rows that counted.

It hears of each reply when the server pulls it, knows what a node should have answered, and takes
the round's step itself. Workers, rule and step are the real ones; of the transport it uses nothing.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from flwr.app import Message

from signfed.app.config.run_config import RunConfig, build_strategy
from signfed.app.engines import workers
from signfed.app.runs.json_files import json_line
from signfed.app.runs.scoring import Scorer
from signfed.app.task import Problem
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire

UNTOLD = ("seconds", "uplink_bytes", "downlink_bytes")  # of a record; not the model's business
Life = tuple[int, int]  # a node's id, and which of its lives: a memory ends with one


class Violation(AssertionError):
    """Something is not as it should be. name: of the invariant."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass(frozen=True)
class Content:
    """What a train reply holds: rows, faults of rows, or the word that the node cannot follow."""

    rows: dict[int, np.ndarray] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    lacking: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the server ought to make of a reply: drop all for one of the reasons, or use it."""

    reasons: frozenset[str] = frozenset()
    content: Content | None = None

    @classmethod
    def of(cls, reason: str) -> Outcome:
        return cls(frozenset({reason}))


@dataclass
class Request:
    node: int
    partition: int
    round: int
    version: int
    keep: bool
    steps: int | None


@dataclass
class Snapshot:
    """The run after a round."""

    training: Training
    holders: dict[int, int]
    state: dict[str, torch.Tensor]


class Model:
    """One attempt of a run: a server process, from its start to its end.

    Attributes
    ----------
    lines : list of dict
        What `rounds.jsonl` should hold, without `UNTOLD`.
    history : dict
        Round -> the run after it; of earlier attempts, too.
    """

    def __init__(
        self, config: RunConfig, problem: Problem, nodes: int,
        before: Model | None = None, done: int = 0, copies: bool = True,
    ) -> None:  # fmt: skip
        self._copies = copies  # of each round, where a later server process may go on from it
        self._config, self._problem, self._partitions = config, problem, nodes
        rule = build_strategy(config)
        federation = config.federation(rule, problem)
        self._codec, self._encoder = federation.codec, config.build_encoder(federation.encoder)
        self._adversary = workers.adversary(config, problem)
        self.lines: list[dict[str, Any]] = []
        self.history: dict[int, Snapshot] = {}
        self.holders: dict[int, int] = {}  # partition -> node
        if before and done:
            self.history = {r: s for r, s in before.history.items() if r <= done}
            self.training = deepcopy(self.history[done].training)
            self.holders = dict(self.history[done].holders)
            self.lines = [line for line in before.lines if line["round"] <= done]
        else:
            ids, count = config.byzantine_ids, config.workload.num_workers
            observe = Scorer(ids, count) if ids else None
            self.training = Training(rule, federation, problem.initial(), observe)
        self._claims: dict[int, int] = {}  # node -> the partition that it said
        self._unheard: dict[int, int] = {}  # node -> the round in which its question was lost
        self._nodes_asked: dict[str, int] = {}  # by the question
        self._connected: list[int] = []
        self._models = {self.training.taken: self.training.parameters.numpy().copy()}
        self._requests: dict[str, Request] = {}
        self._pulled: set[str] = set()
        self._memory: dict[Life, dict[int, dict[str, np.ndarray]]] = {}
        self._last: dict[Life, tuple[int, Content]] = {}
        self._held: dict[Life, int] = {}
        self._begin(done + 1)

    def _begin(self, server_round: int) -> None:
        self.round = server_round
        self._asked: dict[int, tuple[int, ...]] | None = None
        self._expected: dict[int, tuple[int, ...]] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._healed: set[int] = set()
        self._told: dict[int, str] = {}

    late = 0

    # -- who is there -----------------------------------------------------------------------------

    def look(self, connected: list[int]) -> None:
        self._settle()
        self._connected = connected

    def _settle(self) -> None:
        """Who is connected and has said which partition it is gets it, unless another has it."""
        for node, partition in self._claims.items():
            holder = self.holders.get(partition)
            if node in self._connected and holder not in self._connected:
                self.holders[partition] = node

    def _hear(self, node: int, partition: int) -> None:
        self._claims.setdefault(node, partition)
        holder = self.holders.get(partition)
        if node in self._connected and holder not in self._connected:
            self.holders[partition] = node

    def questioned(self, message: Message, node: int) -> None:
        """The server asks a node which partition it is."""
        self._nodes_asked[message.metadata.message_id] = node
        self._unheard.pop(node, None)

    # -- messages ---------------------------------------------------------------------------------

    def asked(self, message: Message, node: int, partition: int, server_round: int) -> None:
        """The server sends a training request."""
        if server_round != self.round:
            raise Violation("record", f"asked in round {server_round}; it is round {self.round}")
        if self._asked is None:
            self._settle()
            self._asked = {}
            for each, holder in self.holders.items():
                if holder in self._connected and (ids := self._workers(each, server_round)):
                    self._expected[holder] = ids
        config, arrays = message.content["config"], message.content["model"]
        steps = len(wire.own_array(arrays["directions"])) if "directions" in arrays else None
        version = int(config["version"])
        if version != self.training.taken:
            raise Violation("record", f"version {version}; steps taken: {self.training.taken}")
        self._asked[node] = self._workers(partition, server_round)
        self._requests[message.metadata.message_id] = Request(
            node, partition, server_round, version, bool(config["keep"]), steps
        )

    def _workers(self, partition: int, server_round: int) -> tuple[int, ...]:
        asked = self._config.participation.workers(server_round)
        return tuple(w for w in asked if w % self._partitions == partition)

    def answered(self, message: Message, reply: Message, life: Life) -> Outcome:
        """A node has answered; what that is worth, and whether it is what it should be."""
        request = self._requests.get(message.metadata.message_id)
        if request is None:
            return Outcome()
        last, content = self._last.get(life, (0, Content()))
        if request.round < last:
            if not reply.has_error():
                raise Violation("node", f"{life} answered round {request.round} after {last}")
            return Outcome.of("error")
        if request.round > last:
            if request.steps is not None:
                held = self._held.get(life, -1)
                if held < 0 or not 0 <= request.version - held <= request.steps:
                    self._compare(reply, Content(lacking=True), life, request)
                    return Outcome(content=Content(lacking=True))
            content = self._computed(request, life)
            self._last[life] = request.round, content
        if request.keep:
            self._held[life] = request.version
        else:
            self._held.pop(life, None)
        self._compare(reply, content, life, request)
        return Outcome(content=content)

    def _computed(self, request: Request, life: Life) -> Content:
        memory = self._memory.setdefault(life, {})
        parameters, rows, faults = self._models[request.version], {}, {}
        poisoned = workers.poisoned(self._problem, {}, self._config)
        for worker in self._workers(request.partition, request.round):
            client = workers.client(
                worker, self._config, self._problem.gradient, poisoned, self._encoder,
                memory.get(worker, {}), self._adversary,
            )  # fmt: skip
            sent, _, _ = client.fit([parameters], {"round": request.round})
            if not sent:
                faults[worker] = str(DropReason.NON_FINITE)
            elif fault := self._codec.fault(sent[0], len(parameters)):
                faults[worker] = str(fault)
            else:
                rows[worker] = sent[0]
            memory[worker] = client.memory
        return Content(rows, faults)

    def _compare(self, reply: Message, content: Content, life: Life, request: Request) -> None:
        said = "an error" if reply.has_error() else sorted(reply.content)
        place = f"node {life}, round {request.round}"
        if reply.has_error():
            raise Violation("node", f"{place}: {reply.error.reason}")
        if content.lacking != ("replica" in reply.content):
            raise Violation("node", f"{place}: lacking {content.lacking}; it said {said}")
        if content.rows and not content.faults:
            found = reply.content["updates"]["rows"].numpy()
            if found.tobytes() != np.stack(list(content.rows.values())).tobytes():
                raise Violation("node", f"{place}: other rows than its workers make")

    def changed(self, content: Content, payload: bytes) -> Outcome:
        """What a reply is worth whose rows are these bytes now."""
        if content.lacking or not content.rows or content.faults:
            return Outcome(content=content)
        rows, faults, n = {}, {}, len(self.training.parameters)
        length = self._codec.length(n)
        matrix = np.frombuffer(payload, self._codec.dtype).reshape(-1, length)
        for worker, row in zip(content.rows, matrix, strict=True):
            if fault := self._codec.fault(row, n):
                faults[worker] = str(fault)
            else:
                rows[worker] = row
        return Outcome(content=Content(rows, faults))

    def heard(self, message_id: str) -> bool:
        return message_id in self._pulled

    def pulled(self, message_id: str, reply: Message, outcome: Outcome) -> None:
        """The server takes a reply."""
        if message_id in self._pulled:
            return
        self._pulled.add(message_id)
        request = self._requests.get(message_id)
        genuine = not reply.has_error() and outcome != Outcome.of("wrong-sender")
        if request is None:
            node = self._nodes_asked.get(message_id, -1)
            if genuine:
                self._hear(node, int(reply.content["node"]["partition-id"]))
            elif reply.has_error():
                self._unheard[node] = self.round
        elif request.round < self.round:
            self.late += genuine
        elif outcome.content and outcome.content.lacking and request.node not in self._healed:
            self._healed.add(request.node)
        elif outcome.content and outcome.content.lacking:
            self._outcomes.setdefault(request.node, Outcome.of("malformed"))
        else:
            self._outcomes.setdefault(request.node, outcome)

    # -- the round --------------------------------------------------------------------------------

    def received(self, updates: Updates | None, dropped: dict[DropReason, list[int]]) -> None:
        """The server has sorted the replies: each worker is in one place, each row there once."""
        chosen = sorted(self._config.participation.workers(self.round))
        ids = [] if updates is None else updates.ids.tolist()
        if len(set(ids)) < len(ids):
            raise Violation("twice", f"rows of workers {ids}")
        if sorted([*ids, *(w for group in dropped.values() for w in group)]) != chosen:
            raise Violation("places", f"{chosen} asked; rows of {ids}, dropped: {dropped}")
        told = {w: str(reason) for reason, group in dropped.items() for w in group}
        self._told = told
        rows, faults = self._counted(told)
        if told != faults or ids != sorted(rows):
            raise Violation("record", f"dropped {told}, rows of {ids}; it should be {faults}")
        if updates is None:
            return
        mine = Updates.from_rows(rows, self._codec, updates.n_coordinates, self.round)
        if mine.rows.numpy().tobytes() != updates.rows.numpy().tobytes():
            raise Violation("record", "other rows than those that counted")

    def _counted(self, told: dict[int, str]) -> tuple[dict[int, np.ndarray], dict[int, str]]:
        rows: dict[int, np.ndarray] = {}
        asked = self._asked or {}
        if set(asked) != set(self._expected) and asked:
            raise Violation("record", f"asked {asked}; it should be {self._expected}")
        chosen = self._config.participation.workers(self.round)
        faults = dict.fromkeys(chosen, str(DropReason.NO_NODE))
        for node, ids in asked.items():
            outcome = self._outcomes.get(node, Outcome.of("no-reply"))
            given = {told.get(w) for w in ids}
            content = outcome.content
            if outcome.reasons and (content is None or given <= outcome.reasons):
                (reason,) = given if len(given) == 1 and given <= outcome.reasons else (None,)
                faults |= dict.fromkeys(ids, str(reason or min(outcome.reasons)))
                continue
            assert content is not None
            for worker in ids:
                faults.pop(worker)
            faults |= content.faults
            rows |= content.rows
        return rows, faults

    def close(self, line: dict[str, Any] | None, state: dict[str, torch.Tensor] | None) -> None:
        """The round is over; None when the server gave the run up in it."""
        rows, faults = self._counted(self._told)
        forgotten = [n for n, r in self._unheard.items() if r < self.round - 1]
        if left := [n for n in forgotten if n in self._connected]:
            raise Violation("wait", f"nodes {left} are connected and are not asked who they are")
        n = len(self.training.parameters)
        updates = Updates.from_rows(rows, self._codec, n, self.round) if rows else None
        record = RoundRecord(self.round, nodes=len(self._asked or {}), late=self.late)
        record.healed = len(self._healed)
        record.drop({worker: DropReason(reason) for worker, reason in faults.items()})
        self.training.advance(updates, record)
        if line is None:
            raise Violation("record", f"round {self.round} was given up; it was usable")
        config = self._config
        if self.round % config.evaluate_every == 0 or self.round == config.num_rounds:
            record.add_scores(self._problem.evaluate(self.training.parameters))
        mine = bare(record.to_json())
        if mine != bare(line):
            raise Violation("record", f"{bare(line)}; it should be {mine}")
        self.lines.append(mine)
        assert state is not None
        copied = deepcopy(self.training) if self._copies else self.training
        snapshot = Snapshot(copied, dict(self.holders), self.state())
        differ = difference(state, snapshot.state)
        if differ:
            raise Violation("model", f"after round {self.round}: {differ}")
        self.history[self.round] = snapshot
        self._models[self.training.taken] = self.training.parameters.numpy().copy()
        self.late = 0
        self._begin(self.round + 1)

    def gave_up(self, error: FederationError) -> None:
        """The server ends the run with this error; so should the model."""
        if self._asked is None and not self.holders:
            return  # no quorum of nodes before round 1
        try:
            self.close(None, None)
        except FederationError as mine:
            if type(mine) is not type(error):
                raise Violation("record", f"{error!r}; it should be {mine!r}") from error

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint should hold now."""
        nodes = np.zeros(self._config.workload.num_workers, np.uint64)
        for worker in range(len(nodes)):
            nodes[worker] = self.holders.get(worker % self._partitions, 0)
        state = self.training.state_dict() | {"nodes": torch.from_numpy(nodes.view(np.int64))}
        return {name: tensor.clone() for name, tensor in state.items()}


def bare(line: dict[str, Any]) -> dict[str, Any]:
    """A record as it is read back, without what is not the model's business."""
    return {n: value for n, value in json.loads(json_line(line)).items() if n not in UNTOLD}


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    """Names of the tensors that are not the same to the last bit."""
    names = sorted(set(one) | set(other))
    return [
        name for name in names
        if name not in one or name not in other or one[name].dtype != other[name].dtype
        or one[name].numpy().tobytes() != other[name].numpy().tobytes()
    ]  # fmt: skip
