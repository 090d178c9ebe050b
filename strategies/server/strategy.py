"""RobustStrategy: a Flower Strategy around one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from logging import getLogger

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.loop import Evaluate, OnRound, run_rounds
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Observe, Training
from signfed.strategies.server.transport.link import Link, NodesFn

log = getLogger("signfed")

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]


class RobustStrategy(Rule, Strategy):
    """A Flower Strategy made of one method: `aggregate(updates) -> direction`.

    The strategy waits for the workers, sends the model, checks and counts every reply, sorts the
    rows by worker id, and takes the optimizer step. A subclass never sees a message, a node or who
    is Byzantine; it may keep state between rounds in its own attributes. See `Rule` for what a
    subclass may define besides.
    """

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
        evaluate: Evaluate | None = None,
        on_round: OnRound | None = None,
        resume: tuple[int, State] | None = None,
        digest: Mapping[str, str] | None = None,
    ) -> Result:
        """Run the federation: Flower's `start` with seven more arguments.

        Parameters
        ----------
        grid : Grid
        initial_arrays : ArrayRecord
            One array "parameters", float32 [N].
        num_rounds : int
        timeout : float
            Seconds for the replies of a round.
        train_config : ConfigRecord, optional
            What else each request to a node holds.
        evaluate_config : ConfigRecord, optional
            Not used. Evaluation is central, since a client's word about its own accuracy is worth
            nothing here.
        evaluate_fn : callable, optional
            Asked after each round, with the model as arrays. `evaluate` costs no copy.
        federation : Federation
            What a run needs besides its rule.
        on_nodes : callable, optional
            Gets the workers of each node once all are there, and may raise.
        observe : callable, optional
            Sees updates and direction of each usable round, and returns scores for its record.
        evaluate : callable, optional
            Asked after each round, with the parameters as a tensor; its scores are recorded.
        on_round : callable, optional
            Gets the record of each round, and a function that returns the server's state after it.
        resume : tuple of int and dict, optional
            A round and such a state; the run goes on with the next round.
        digest : Mapping, optional
            Digest of each part of what the run computes on; a node that differs takes no part.

        Returns
        -------
        Result
            The final model, and metrics by round.

        Raises
        ------
        ValueError
            When `check` fails, or the rule returns what it should not.
        FederationError
            When the federation cannot go on.
        """
        if federation is None:
            raise ValueError("RobustStrategy.start needs federation=Federation(...)")
        self.check(federation.participation.count, num_rounds)
        parameters = torch.from_numpy(initial_arrays["parameters"].numpy())
        done, state = resume or (0, {})
        self._training = training = Training(self, federation, parameters, observe, state)
        self._link = link = Link(federation, training, grid, timeout, train_config, digest)
        link.gather(state, on_nodes)
        result = Result()

        def evaluated(server_round: int, parameters: torch.Tensor) -> dict[str, float]:
            if evaluate_fn and (metrics := evaluate_fn(server_round, _arrays(training))):
                result.evaluate_metrics_serverapp[server_round] = metrics
            if evaluate is None or not (scores := evaluate(server_round, parameters)):
                return {}
            result.evaluate_metrics_serverapp[server_round] = MetricRecord({**scores})
            return {**scores}

        def recorded(record: RoundRecord, state: Callable[[], State]) -> None:
            result.train_metrics_clientapp[record.round] = _counts(record)
            if on_round:
                on_round(record, state)

        rounds = range(done + 1, num_rounds + 1)
        run_rounds(training, link, rounds, evaluate=evaluated, on_round=recorded)
        result.arrays = _arrays(training)
        return result

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the requests of a round, for whoever sends them; `start` sends them itself.

        Each connected node that hosts workers of the round gets what it lacks of the model;
        `arrays` is not looked at. A `start` comes first, of 0 rounds perhaps: it finds the nodes.
        """
        return self._link.requests(server_round, config)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies to `configure_train`'s requests, aggregate, and take the step.

        Returns
        -------
        tuple
            The new model and the counts of the round; None in place of the model when the round is
            skipped.
        """
        updates, record = self._link.open(server_round, replies)
        usable = self._training.advance(updates, record)
        return _arrays(self._training) if usable else None, _counts(record)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return nothing: no client evaluates, see `start`."""
        return []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return nothing: no client evaluates, see `start`."""
        return None

    def summary(self) -> None:
        """Log the rule and its options."""
        log.info("%s", self.describe())


def _arrays(training: Training) -> ArrayRecord:
    return ArrayRecord({"parameters": Array(training.parameters.cpu().numpy())})


def _counts(record: RoundRecord) -> MetricRecord:
    dropped = sum(map(len, record.dropped.values()))
    return MetricRecord({"received": record.received, "dropped": dropped})
