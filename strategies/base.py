"""RobustStrategy: a Flower Strategy around one rule."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from torch import Tensor

from strategies.federation import Federation
from strategies.training import Observe, Training
from strategies.transport import wire
from strategies.transport.exchange import push, replies
from strategies.transport.intake import Intake
from strategies.updates import Updates

log = getLogger("signfed")

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]
RoundFn = Callable[[dict[str, Any]], None]
NodesFn = Callable[[list[tuple[int, ...]]], None]


@dataclass
class _Run:
    """What a strategy remembers while `start` runs, and only then."""

    federation: Federation
    intake: Intake
    training: Training
    timeout: float
    requests: dict[str, Message] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


class RobustStrategy(Strategy):
    """A Flower Strategy made of one method: `aggregate(updates) -> direction`.

    The base waits for the workers, sends the model, checks and counts every reply, sorts the rows
    by worker id, and takes the optimizer step. A subclass never sees a message, a node or who is
    Byzantine; it may keep state between rounds in its own attributes.

    encoder: name of the encoder that the rule asks its clients for.
    remembers_workers: whether it matters to the rule which worker a row is of.
    """

    encoder: str = "sign"
    remembers_workers: bool = False

    @abstractmethod
    def aggregate(self, updates: Updates) -> Tensor:
        """The rule: the round's updates -> descent direction, float32 [N]; inputs untouched."""

    def admissible(self, n: int) -> str | None:
        """Why the rule cannot serve n updates, with the admissible range; None when it can."""
        return None

    def check(self, num_workers: int, num_rounds: int) -> None:
        """Raise ValueError when the rule cannot serve such a run. Called before it starts."""
        if problem := self.admissible(num_workers):
            raise ValueError(problem)

    def instructions(self, num_workers: int) -> dict[str, Any]:
        """What the rule has to tell its clients with each model: more fields of "config"."""
        return {}

    def diagnostics(self) -> dict[str, Any]:
        """What the rule found out in the last round, as JSON values, for `rounds.jsonl`."""
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        """The rule's state between two rounds as plain tensors; empty for a stateless rule."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put back what `state_dict` returned."""

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600.0,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: EvaluateFn | None = None,
        *,
        federation: Federation | None = None,
        on_nodes: NodesFn | None = None,
        observe: Observe | None = None,
        on_round: RoundFn | None = None,
    ) -> Result:
        """Run the federation: Flower's `start` with four more arguments.

        initial_arrays: one array "parameters", float32 [N]. timeout: seconds for the replies of
        a round. evaluate_config: not used; evaluation is central (`evaluate_fn`), since a
        client's word about its own accuracy is worth nothing here.
        on_nodes: gets the workers of each node once all are there, and may raise.
        observe: sees updates and direction of each usable round, adds to its record.
        on_round: gets one record a round, the line of `rounds.jsonl`.
        Raises ValueError when `check` fails, FederationError when the federation cannot go on.
        """
        if federation is None:
            raise ValueError("RobustStrategy.start needs federation=Federation(...)")
        self.check(federation.num_workers, num_rounds)
        parameters = torch.from_numpy(initial_arrays["parameters"].numpy())
        intake = Intake(federation.num_workers, federation.codec, len(parameters))
        training = Training(self, federation, parameters, observe)
        self._run = _Run(federation, intake, training, timeout)
        intake.gather(grid, federation.node_timeout)
        if on_nodes:
            on_nodes(intake.hosted)
        arrays, result = initial_arrays, Result(arrays=initial_arrays)
        for server_round in range(1, num_rounds + 1):
            clock = [time.perf_counter()]
            messages = list(self.configure_train(server_round, arrays, train_config, grid))
            self._run.requests = push(grid, messages)
            incoming = [reply for _, reply in replies(grid, self._run.requests, timeout)]
            clock.append(time.perf_counter())
            new_arrays, metrics = self.aggregate_train(server_round, incoming)
            clock.append(time.perf_counter())
            if new_arrays is not None:
                arrays = result.arrays = new_arrays
            if metrics is not None:
                result.train_metrics_clientapp[server_round] = metrics
            scores = evaluate_fn(server_round, arrays) if evaluate_fn else None
            clock.append(time.perf_counter())
            if scores is not None:
                result.evaluate_metrics_serverapp[server_round] = scores
            if on_round:
                phases = zip(("clients", "server", "evaluate"), clock, clock[1:], strict=False)
                seconds = {name: end - start for name, start, end in phases}
                on_round(self._run.record | dict(scores or {}) | {"seconds": seconds})
        return result

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord | None, grid: Grid
    ) -> Iterable[Message]:
        """The whole model to every node that hosts workers."""
        nodes = self._run.intake.nodes
        federation = self._run.federation
        told = self.instructions(federation.num_workers) | {"encoder": federation.encoder}
        record = ConfigRecord({**(config or {}), **told})
        messages = wire.train(nodes, arrays, server_round, record, ttl=self._run.timeout)
        downlink_bytes = wire.size(messages[0]) * len(messages)  # they share one content
        self._run.record = {
            "round": server_round,
            "nodes": len(messages),
            "downlink_bytes": downlink_bytes,
        }
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies, aggregate, step. (None, metrics) when the round is skipped."""
        run = self._run
        received = run.intake.open(server_round, run.requests, replies)
        n, dropped = len(received.rows), received.dropped
        metrics = MetricRecord({"received": n, "dropped": dropped.total()})
        run.record |= {"dropped": dict(dropped), "uplink_bytes": received.uplink_bytes}
        codec, n_coordinates = run.federation.codec, len(run.training.parameters)
        updates = (
            Updates.from_rows(received.rows, codec, n_coordinates, server_round) if n else None
        )
        if not run.training.advance(updates, run.record):
            return None, metrics
        return ArrayRecord({"parameters": Array(run.training.parameters.numpy())}), metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """No client evaluates: see `start`."""
        return []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """No client evaluates: see `start`."""
        return None

    def summary(self) -> None:
        """Log the rule and its hyper-parameters."""
        public = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        public = {k: v for k, v in public.items() if isinstance(v, int | float | str)}
        log.info("%s %s", type(self).__name__, public)
