"""RobustStrategy: a Flower Strategy around one rule."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from logging import getLogger
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from torch import Tensor

from signfed.strategies.core.options import checked
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.training import Observe, State, Training
from signfed.strategies.server.transport.link import Link

log = getLogger("signfed")

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]
RoundFn = Callable[[dict[str, Any], Callable[[], State]], None]
NodesFn = Callable[[list[tuple[int, ...]]], None]


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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

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

    def state_dict(self) -> State:
        """The rule's state between two rounds as plain tensors; empty for a stateless rule."""
        return {}

    def load_state_dict(self, state: State) -> None:
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
        resume: tuple[int, State] | None = None,
        digest: Mapping[str, str] | None = None,
    ) -> Result:
        """Run the federation: Flower's `start` with six more arguments.

        initial_arrays: one array "parameters", float32 [N]. timeout: seconds for the replies of
        a round. evaluate_config: not used; evaluation is central (`evaluate_fn`), since a
        client's word about its own accuracy is worth nothing here.
        on_nodes: gets the workers of each node once all are there, and may raise.
        observe: sees updates and direction of each usable round, adds to its record.
        on_round: gets one record a round, the line of `rounds.jsonl`, and a function that returns
        the server's state after it.
        resume: such a state and its round; goes on with the next.
        digest: of what the run computes on, by part; a node that differs takes no part.
        Raises ValueError when `check` fails, FederationError when the federation cannot go on.
        """
        if federation is None:
            raise ValueError("RobustStrategy.start needs federation=Federation(...)")
        self.check(federation.participation.count, num_rounds)
        parameters = torch.from_numpy(initial_arrays["parameters"].numpy())
        self._federation = federation
        self._training = training = Training(self, federation, parameters, observe)
        self._link = link = Link(federation, training, timeout, digest)
        done, state = resume or (0, {})
        if state:
            training.load_state_dict(state)
            link.reception.roster.load_state_dict(state)
        link.reception.gather(grid, federation.quorum)
        if on_nodes:
            on_nodes(list(link.reception.present().values()))
        arrays, result = self._arrays(), Result(arrays=self._arrays())
        for server_round in range(done + 1, num_rounds + 1):
            clock = [time.perf_counter()]
            link.await_nodes(grid, server_round)
            messages = list(self.configure_train(server_round, arrays, train_config, grid))
            incoming = link.exchange(grid, server_round, messages)
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
                record = link.record | dict(scores or {}) | {"seconds": seconds}
                on_round(record, self._state)
        return result

    def _state(self) -> State:
        return self._training.state_dict() | self._link.reception.roster.state_dict()

    def _arrays(self) -> ArrayRecord:
        return ArrayRecord({"parameters": Array(self._training.parameters.numpy())})

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord | None, grid: Grid
    ) -> Iterable[Message]:
        """What it lacks of the model to each node that hosts workers of this round."""
        told = self.instructions(self._federation.num_workers)
        told |= {"encoder": self._federation.encoder}
        return self._link.requests(server_round, {**(config or {}), **told})

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies, aggregate, step. (None, metrics) when the round is skipped."""
        rows = self._link.open(server_round, replies).rows
        record, codec = self._link.record, self._federation.codec
        metrics = MetricRecord({"received": len(rows), "dropped": sum(record["dropped"].values())})
        n = len(self._training.parameters)
        updates = Updates.from_rows(rows, codec, n, server_round) if rows else None
        if not self._training.advance(updates, record):
            return None, metrics
        self._link.stepped()
        return self._arrays(), metrics

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
