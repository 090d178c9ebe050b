"""RobustStrategy: a Flower Strategy around one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server import flower_loop
from signfed.strategies.server.drop_in import Byzantine, DropIn
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.flower_loop import EvaluateFn
from signfed.strategies.server.loop import Evaluate, OnRound, run_rounds
from signfed.strategies.server.nodes import NodeOptions, takes_nodes
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Observe, Training
from signfed.strategies.server.transport.attendance import Workers
from signfed.strategies.server.transport.link import Link
from signfed.strategies.server.transport.packed_rows import PackedRows

log = getLogger("signfed")

NodesFn = Callable[[list[tuple[int, ...]]], None]  # gets the workers of each node


class RobustStrategy(Rule, Strategy):
    """A Flower Strategy made of one method: `aggregate(updates) -> direction`.

    In your own Flower app it takes the place of `FedAvg`, your ClientApp unchanged:

        strategy = SignGuard(fraction_train=0.5)
        result = strategy.start(grid=grid, initial_arrays=arrays, num_rounds=3)

    The strategy waits for nodes, sends the model, checks and counts every reply, sorts the rows by
    worker, and takes a step along the direction: x <- x - eta aggregate(u_1, ..., u_n), where a
    row u_m = x - y_m is what worker m made of the model that it got. A subclass never sees a
    message, a node or who is Byzantine; it may keep state between rounds in its own attributes. See
    `Rule` for what a subclass may define besides, and docs/drop-in.md.

    Attributes
    ----------
    nodes : NodeOptions
        Whom a round asks, under which keys, and the learning rate eta. Every rule's constructor
        takes these by keyword beside its own options.
    """

    nodes = NodeOptions()
    # One of the two after a start: of signfed's own app, or of another's.
    _link: Link | None = None
    _drop_in: DropIn | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = takes_nodes(cls.__init__)  # type: ignore[method-assign]

    def __init__(self) -> None:
        """A rule without options of its own."""

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
        run_dir: str | Path | None = None,
        resume: str | Path | tuple[int, State] | None = None,
        byzantine: Byzantine = (),
        federation: Federation | None = None,
        on_nodes: NodesFn | None = None,
        observe: Observe | None = None,
        evaluate: Evaluate | None = None,
        on_round: OnRound | None = None,
        digest: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a federation: Flower's `start`, with a record of the run if you want one.

        Parameters
        ----------
        grid : Grid
        initial_arrays : ArrayRecord
            The model: arrays of any number, names, shapes and dtypes.
        num_rounds : int
        timeout : float
            Seconds for the replies of a round.
        train_config, evaluate_config : ConfigRecord, optional
            What else each request to a node holds.
        evaluate_fn : callable, optional
            Asked before round 1 and after each round, with the model as arrays.
        run_dir : path, optional
            A new or empty folder for the record of the run.
        resume : path, optional
            The folder of a run that goes on after its last checkpoint.
        byzantine : collection of int, or "announced"
            Node ids that are known to be Byzantine, for the record alone; "announced": those
            whose `signfed.byzantine` mod says so.
        federation : Federation, optional
            Of signfed's own app, as are the arguments after it. The model is then one array
            "parameters", float32 [N]; `resume` is a round and its state, which is emptied.
        on_nodes : callable, optional
            Gets the workers of each node once all are there, and may raise.
        observe : callable, optional
            Sees updates and direction of each usable round, and returns scores for its record.
        evaluate : callable, optional
            Asked after each round, with the parameters as a tensor; its scores are recorded.
        on_round : callable, optional
            Gets each round's record and what returns the state after it; True ends the run.
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
            if isinstance(resume, tuple):
                raise ValueError("resume: expected a run folder; got a state, without federation")

            def begin(state: State, observe: Observe | None) -> DropIn:
                self._link = None
                self._drop_in = DropIn(
                    self, self.nodes, grid, initial_arrays, timeout, state, observe
                )
                return self._drop_in

            return flower_loop.run(
                self, begin, grid, num_rounds, train_config, evaluate_config, evaluate_fn,
                run_dir=run_dir, resume=resume, byzantine=byzantine,
            )  # fmt: skip
        if run_dir or byzantine or isinstance(resume, str | Path):
            raise ValueError(
                "run_dir, byzantine, resume=folder: expected no federation beside them"
            )
        self.check(federation.participation.count, num_rounds)
        parameters = torch.from_numpy(initial_arrays["parameters"].numpy())
        done, state = resume or (0, {})
        self._training = training = Training(self, federation, parameters, observe, state)
        self._drop_in = None
        dialect = PackedRows(training, federation.codec, federation.encoder)
        workers = Workers(federation, digest)
        self._link = link = Link(
            training, grid, dialect, workers, timeout=timeout, config=train_config,
            instructions=self.instructions(federation.num_workers),
        )  # fmt: skip
        workers.gather(grid, state)
        state.clear()  # whoever holds it holds no tensors from here on
        if on_nodes:
            on_nodes(workers.present())
        result = Result()

        def evaluated(server_round: int, parameters: torch.Tensor) -> dict[str, float]:
            if evaluate_fn and (metrics := evaluate_fn(server_round, _arrays(training))):
                result.evaluate_metrics_serverapp[server_round] = metrics
            if evaluate is None or not (scores := evaluate(server_round, parameters)):
                return {}
            result.evaluate_metrics_serverapp[server_round] = MetricRecord({**scores})
            return {**scores}

        def recorded(record: RoundRecord, state: Callable[[], State]) -> bool | None:
            result.train_metrics_clientapp[record.round] = _counts(record)
            return on_round(record, state) if on_round else None

        rounds = range(done + 1, num_rounds + 1)
        run_rounds(training, link, rounds, evaluate=evaluated, on_round=recorded)
        result.arrays = _arrays(training)
        return result

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the requests of a round: to each of its nodes, what it lacks of the model.

        `arrays` is the model with which a run begins, where `start` was not called before; then it
        has to be what `aggregate_train` returned.
        """
        if self._link:
            return self._link.requests(server_round, config)
        if self._drop_in is None:
            self._drop_in = DropIn(self, self.nodes, grid, arrays, timeout=3600.0)
            self._drop_in.gather({})
        return self._drop_in.configure_train(server_round, arrays, config)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies to `configure_train`'s requests, aggregate, and take the step.

        Returns
        -------
        tuple
            The new model, and the nodes' claims (in signfed's own app, the counts of the round);
            None in place of the model when the round is skipped.
        """
        if self._drop_in:
            return self._drop_in.aggregate_train(server_round, replies)
        if self._link is None:
            raise ValueError("aggregate_train: expected configure_train, or start, before it")
        updates, record = self._link.open(server_round, replies)
        usable = self._training.advance(updates, record)
        return _arrays(self._training) if usable else None, _counts(record)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the requests to evaluate the model; none in signfed's own app."""
        if self._drop_in is None:
            return []
        return self._drop_in.configure_evaluate(server_round, arrays, config)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return the median of each metric that nodes claim; None in signfed's own app."""
        return self._drop_in.aggregate_evaluate(server_round, replies) if self._drop_in else None

    def summary(self) -> None:
        """Log the rule and its options."""
        log.info("%s", self.describe())


# Not by __init_subclass__, which is not called for the class itself.
RobustStrategy.__init__ = takes_nodes(RobustStrategy.__init__)  # type: ignore[method-assign]


def _arrays(training: Training) -> ArrayRecord:
    return ArrayRecord({"parameters": Array(training.parameters.cpu().numpy())})


def _counts(record: RoundRecord) -> MetricRecord:
    dropped = sum(map(len, record.dropped.values()))
    return MetricRecord({"received": record.received, "dropped": dropped})
