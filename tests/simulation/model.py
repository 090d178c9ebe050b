"""What should be: the run as it is without messages, fed with exactly the rows that counted.

It hears of each reply when the server pulls it, knows what a node should have answered, and takes
the round's step itself. Workers, rule and step are the real ones; of the transport it uses nothing.
So an error of Training, Updates or Scorer is in the model, too: here it cannot be found.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from flwr.app import Message

from signfed.app.config.run_config import RunConfig, build_strategy
from signfed.app.runs.scoring import Scorer
from signfed.app.task import Problem
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire
from tests.simulation.answers import Answers
from tests.simulation.expected import Expected
from tests.simulation.outcome import Life, Outcome, Request, Violation
from tests.simulation.presence import Presence


class Model(Expected):
    """One attempt of a run of signfed's own app."""

    def __init__(
        self, config: RunConfig, problem: Problem, nodes: int, kept: Callable[[int], bool],
        before: Model | None = None, done: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(kept)
        self._config, self._problem, self._partitions = config, problem, nodes
        rule = build_strategy(config)
        federation = config.federation(rule, problem)
        self._codec = federation.codec
        self.answers = Answers(config, problem, federation, nodes)
        self.presence = Presence({})
        if before and done:
            self.presence = Presence(self._go_on(before, done))
        else:
            observe = Scorer(config.byzantine_ids) if config.byzantine_ids else None
            self.training = Training(rule, federation, problem.initial(), observe)
        self._nodes_asked: dict[str, int] = {}  # by the question
        self._remember_model()
        self._requests: dict[str, Request] = {}
        self._pulled: set[str] = set()
        self._begin(done + 1)

    def _remember_model(self) -> None:
        parameters = self.training.parameters.numpy().copy()
        self.answers.models[self.training.taken] = parameters

    def _begin(self, server_round: int) -> None:
        self.round = server_round
        self._asked: dict[int, tuple[int, ...]] | None = None
        self._expected: dict[int, tuple[int, ...]] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._healed: set[int] = set()
        self._counted: tuple[Updates | None, dict[int, str]] | None = None
        self.late = 0  # replies of earlier rounds that the server has taken in this one

    def questioned(self, message: Message, node: int) -> None:
        """The server asks a node which partition it is."""
        self._nodes_asked[message.metadata.message_id] = node
        self.presence.questioned(node)

    def unheard(self, message: Message) -> None:
        """Nothing will come of a message; where it was a question, it should be asked again."""
        node = self._nodes_asked.get(message.metadata.message_id)
        if node is not None:
            self.presence.unheard(node, self.round)

    def asked(self, message: Message, node: int, partition: int, server_round: int) -> None:
        """The server sends a training request."""
        if server_round != self.round:
            raise Violation("record", f"asked in round {server_round}; it is round {self.round}")
        if self._asked is None:
            self.presence.settle()
            self._asked = {}
            for each, holder in self.presence.holders.items():
                ids = self.answers.workers(each, server_round)
                if ids and self.presence.speaks(holder):
                    self._expected[holder] = ids
        config, arrays = message.content["config"], message.content["model"]
        steps = len(wire.own_array(arrays["directions"])) if "directions" in arrays else None
        version = int(config["version"])
        if version != self.training.taken:
            raise Violation("record", f"version {version}; steps taken: {self.training.taken}")
        self._asked[node] = self.answers.workers(partition, server_round)
        self._requests[message.metadata.message_id] = Request(
            node, partition, server_round, version, bool(config["keep"]), steps
        )

    def answered(self, message: Message, reply: Message, life: Life) -> Outcome:
        """A node has answered; what that is worth, and whether it is what it should be."""
        request = self._requests.get(message.metadata.message_id)
        return self.answers.answered(request, reply, life) if request else Outcome()

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
                self.presence.heard(node, int(reply.content["node"]["partition-id"]))
            elif reply.has_error():
                self.presence.unheard(node, self.round)
        elif request.round < self.round:
            self.late += genuine
        elif outcome.content and outcome.content.lacking and request.node not in self._healed:
            self._healed.add(request.node)
        elif outcome.content and outcome.content.lacking:
            self._outcomes.setdefault(request.node, Outcome.of("malformed"))
        else:
            self._outcomes.setdefault(request.node, outcome)

    # -- the round --------------------------------------------------------------------------------

    def _workers(self) -> list[int]:
        return sorted(self._config.participation.workers(self.round))

    def _count(self, said: dict[int, str]) -> tuple[Updates | None, dict[int, str]]:
        """The rows that count, and why each other worker has none; `said` where two would do."""
        rows: dict[int, np.ndarray] = {}
        asked = self._asked or {}
        if set(asked) != set(self._expected) and asked:
            raise Violation("record", f"asked {asked}; it should be {self._expected}")
        chosen = self._config.participation.workers(self.round)
        faults = dict.fromkeys(chosen, str(DropReason.NO_NODE))
        for node, ids in asked.items():
            outcome = self._outcomes.get(node, Outcome.of("no-reply"))
            given = {said.get(w) for w in ids}
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
        n = len(self.training.parameters)
        return Updates.from_rows(rows, self._codec, n, self.round) if rows else None, faults

    def close(self, line: str | None, state: dict[str, torch.Tensor] | None) -> None:
        """The round is over; None when the server gave the run up in it."""
        updates, faults = self._counted or self._count({})
        self.presence.check(self.round)
        record = RoundRecord(self.round, nodes=len(self._asked or {}), late=self.late)
        record.healed = len(self._healed)
        record.drop({worker: DropReason(reason) for worker, reason in faults.items()})
        self.training.advance(updates, record)
        if line is None or state is None:
            raise Violation("record", f"round {self.round} was given up; it was usable")
        config = self._config
        if self.round % config.evaluate_every == 0 or self.round == config.num_rounds:
            record.add_scores(self._problem.evaluate(self.training.parameters))
        self._settle(line, record, state, self.presence.holders)
        self._remember_model()
        self._begin(self.round + 1)

    def gave_up(self, error: FederationError) -> None:
        """The server ends the run with this error; so should the model."""
        if self._asked is None and not self.presence.holders:
            return  # no quorum of nodes before round 1
        super().gave_up(error)

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint should hold now."""
        nodes = np.zeros(self._config.workload.num_workers, np.uint64)
        for worker in range(len(nodes)):
            nodes[worker] = self.presence.holders.get(worker % self._partitions, 0)
        return self.training.state_dict() | {"nodes": torch.from_numpy(nodes.view(np.int64))}
