"""A rule in a public app, over the same network: what its rounds should be, and the run of a seed.

The app is Flower's usual one: a node makes y of the model x that it gets, and sends it back with
its number of examples; a node is a worker. The model takes the row x - y, or its signs.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from signfed import CenteredClipping, CoordinateMedian, Mean, ReputationMV, RobustStrategy, SignMV
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import Federation, FederationError, Participation
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from tests.simulation.clock import Clock, EndlessError
from tests.simulation.network import Network
from tests.simulation.outcome import Content, Life, Outcome, Result, Violation, bare
from tests.simulation.presence import Presence
from tests.simulation.scenario import Fault, Scenario
from tests.simulation.seams import DIMENSIONS, TIMED, Under, noise

# By the rule that a scenario has drawn: floats go to one on floats, signs to one on signs.
RULES = {
    "sign-mv": SignMV, "sign-fd": SignMV, "reputation-mv": ReputationMV, "mean": Mean,
    "median": CoordinateMedian, "trimmed-mean": CoordinateMedian, "krum": Mean,
    "signguard": CenteredClipping, "centered-clipping": CenteredClipping,
}  # fmt: skip

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """A public app's handler: a step of its own, on the model that came."""
    x = message.content["arrays"]["w"].numpy()
    partition = int(context.node_config["partition-id"])
    y = trained(x, partition, int(message.content["config"]["server-round"]))
    content = {"arrays": ArrayRecord({"w": Array(y)}), "metrics": MetricRecord({"num-examples": 9})}
    return Message(RecordDict(content), reply_to=message)


def trained(x: np.ndarray, partition: int, server_round: int) -> np.ndarray:
    """What a node makes of a model."""
    step = np.float32(0.1) * (x + noise(partition, "drop-in", 1.0, DIMENSIONS, server_round))
    return (x - step).astype(np.float32)


class DropInModel:
    """The run without messages: fed with the rows of the replies that the server took."""

    def __init__(self, rule: RobustStrategy, x: torch.Tensor) -> None:
        self.signs = rule.encoder != "float32"  # of several encoders of signs
        self._codec = CODECS["sign" if self.signs else "float32"]
        step = Step(0.001 if self.signs else 1.0)
        federation = Federation(Participation(1), self._codec, "", step, edges=(0, DIMENSIONS))
        self.training = Training(rule, federation, x)
        self._needed = rule.nodes.needed
        self.presence = Presence({})  # a node of another's app is not asked who it is
        self.answers = self  # which says what changed rows are worth
        self.numbers: dict[int, int] = {}  # node -> worker, in the order of the first request
        self._requests: dict[str, tuple[int, int]] = {}  # message -> node, round
        self._pulled: set[str] = set()
        self._begin(1)

    def _begin(self, server_round: int) -> None:
        self.round, self.late = server_round, 0
        self._asked, self._outcomes = list[int](), dict[int, Outcome]()
        self._x = self.training.parameters.numpy().copy()
        self._counted: tuple[Updates | None, dict[int, str]] = None, {}

    def unheard(self, message: Message) -> None:
        """A node that does not get its request of this round gets one in the next."""

    def asked(self, message: Message, node: int, partition: int, server_round: int) -> None:
        """The server sends a training request, with all of the model."""
        if server_round != self.round:
            raise Violation("record", f"asked in round {server_round}; it is round {self.round}")
        if message.content["arrays"]["w"].data[-self._x.nbytes :] != self._x.tobytes():
            raise Violation("model", f"node {node} is sent another model in round {server_round}")
        self._asked.append(node)
        self.numbers.setdefault(node, len(self.numbers))
        self._requests[message.metadata.message_id] = node, server_round

    def answered(self, message: Message, reply: Message, life: Life) -> Outcome:
        """What a node's reply is worth."""
        node, server_round = self._requests[message.metadata.message_id]
        if reply.has_error():
            raise Violation("node", f"node {life}: {reply.error.reason}")
        if server_round != self.round:
            return Outcome()  # of a round that is over: late, whatever it holds
        y = reply.content["arrays"]["w"].data[-self._x.nbytes :]
        return self.changed(Content({self.numbers[node]: self._x}), y)

    def changed(self, content: Content, payload: bytes) -> Outcome:
        """What a reply is worth whose model has these bytes."""
        [worker] = content.rows or content.faults
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
        node, server_round = self._requests[message_id]
        if server_round == self.round:
            self._outcomes.setdefault(node, outcome)
        else:
            self.late += not reply.has_error() and outcome != Outcome.of("wrong-sender")

    def received(self, updates: Updates | None, dropped: dict[DropReason, list[int]]) -> None:
        """The server has sorted the replies: each worker is in one place, each row there once."""
        workers = sorted(self.numbers[node] for node in self._asked)
        ids = [] if updates is None else updates.ids.tolist()
        if len(set(ids)) < len(ids):
            raise Violation("twice", f"rows of workers {ids}")
        if sorted([*ids, *(w for group in dropped.values() for w in group)]) != workers:
            raise Violation("places", f"{workers} asked; rows of {ids}, dropped: {dropped}")
        told = {w: str(reason) for reason, group in dropped.items() for w in group}
        rows, faults = dict[int, np.ndarray](), dict[int, str]()
        for node in self._asked:
            outcome, worker = self._outcomes.get(node, Outcome.of("no-reply")), self.numbers[node]
            content = outcome.content
            if outcome.reasons and (content is None or told.get(worker) in outcome.reasons):
                given = told.get(worker)
                faults[worker] = given if given in outcome.reasons else min(outcome.reasons)  # type: ignore[assignment]
            elif content is not None:
                rows |= content.rows
                faults |= content.faults
        mine = Updates.from_rows(rows, self._codec, DIMENSIONS, self.round) if rows else None
        if told != faults or ids != sorted(rows):
            raise Violation("record", f"dropped {told}, rows of {ids}; it should be {faults}")
        self._counted = mine, faults
        if updates and mine and mine.rows.numpy().tobytes() != updates.rows.numpy().tobytes():
            raise Violation("record", "other rows than those that counted")

    def close(self, record: RoundRecord | None, parameters: np.ndarray | None) -> str:
        """The round is over; None when the server gave the run up in it."""
        updates, faults = self._counted
        mine = RoundRecord(self.round, nodes=len(self._asked), late=self.late)
        mine.drop({worker: DropReason(reason) for worker, reason in faults.items()})
        self.training.quorum = self._needed(len(self._asked))
        self.training.advance(updates, mine)
        if record is None or parameters is None:
            raise Violation("record", f"round {self.round} was given up; it was usable")
        said, line = (bare(r.to_json() | {"claims": {}}) for r in (record, mine))
        if said != line:
            raise Violation("record", f"{said}; it should be {line}")
        if parameters.tobytes() != self.training.parameters.numpy().tobytes():
            raise Violation("model", f"after round {self.round}")
        self._begin(self.round + 1)
        return line


class DropInSimulation:
    """One scenario of a public app under way."""

    weighed = False

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.result, self.clock = scenario, Result(), Clock()
        config = scenario.config
        make = partial(
            RULES[config["strategy"]], quorum=config["quorum"], fraction_evaluate=0.0,
            fraction_train=config.get("fraction-train", 1.0), min_train_nodes=1,
            min_available_nodes=scenario.nodes, node_timeout=config["node-timeout"],
        )  # fmt: skip
        self._rule, mine = make(), make()
        self._x = noise(config["seed"], "initial", 1.0, DIMENSIONS)
        self._model = DropInModel(mine, torch.from_numpy(self._x.copy()))
        self._trace = hashlib.sha256()

    def run(self) -> Result:
        """Start the server, and check each round."""
        Under.simulation, Under.clock = self, self.clock
        for module in TIMED:
            module.time = self.clock  # type: ignore[attr-defined]
        config, done, counted = self.scenario.config, set[Fault](), Counter[str]()
        network = Network(self.scenario, self.clock, self._model, config, done, counted, app)
        self.result.attempts, self.result.end = 1, "finished"
        self._phase(config["node-timeout"])
        try:
            self._rule.start(
                network, ArrayRecord({"w": Array(self._x)}), config["num-rounds"],
                config["round-timeout"], evaluate_fn=self._evaluated,
            )  # fmt: skip
        except FederationError as error:
            self._gave_up(error)
        except EndlessError as error:
            raise Violation("wait", str(error)) from error
        self.result.faults = counted
        self.result.trace = self._trace.hexdigest()
        return self.result

    def _phase(self, patience: float) -> None:
        self.clock.phase(patience + 2 * self.scenario.config["round-timeout"])

    def received(self, updates: Updates | None, dropped: dict[DropReason, list[int]]) -> None:
        self._model.received(updates, dropped)

    def _evaluated(self, server_round: int, arrays: ArrayRecord) -> None:
        if not server_round:
            return
        drop_in = self._rule._drop_in
        assert drop_in is not None
        line = self._model.close(drop_in.link.record, arrays["w"].numpy())
        self.result.rounds += 1
        self._trace.update(line.encode())
        self._phase(0.0)

    def _gave_up(self, error: FederationError) -> None:
        self.result.end = "failed"
        if self._rule._drop_in:  # else too few nodes came
            try:
                self._model.close(None, None)
            except FederationError as mine:
                if type(mine) is not type(error):
                    raise Violation("record", f"{error!r}; it should be {mine!r}") from error

    def after_round(self, record: Any, state: Any) -> None: ...

    def saved(self, server_round: int) -> None: ...
