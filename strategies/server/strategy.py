"""RobustStrategy: a Flower Strategy around one rule."""

from __future__ import annotations

from collections.abc import Iterable
from logging import getLogger
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server import flower_loop
from signfed.strategies.server.drop_in import Byzantine, DropIn
from signfed.strategies.server.flower_loop import EvaluateFn
from signfed.strategies.server.nodes import NodeOptions, takes_nodes
from signfed.strategies.server.training import Observe

log = getLogger("signfed")


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
    _drop_in: DropIn | None = None  # of the run under way

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
        resume: str | Path | None = None,
        byzantine: Byzantine = (),
    ) -> Result:
        """Run the rounds in a Flower app: Flower's `start`, with a record of the run on request.

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

        def begin(state: State, observe: Observe | None) -> DropIn:
            self._drop_in = DropIn(self, self.nodes, grid, initial_arrays, timeout, state, observe)
            return self._drop_in

        return flower_loop.run(
            self, begin, grid, num_rounds, train_config, evaluate_config, evaluate_fn,
            run_dir=run_dir, resume=resume, byzantine=byzantine,
        )  # fmt: skip

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the requests of a round: to each of its nodes, what it lacks of the model.

        `arrays` is the model with which a run begins, where `start` was not called before; then it
        has to be what `aggregate_train` returned.
        """
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
            The new model, and the nodes' claims; (None, None) for a round that is skipped.
        """
        if self._drop_in is None:
            raise ValueError("aggregate_train: expected configure_train, or start, before it")
        return self._drop_in.aggregate_train(server_round, replies)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the requests to evaluate the model; none where no round was before it."""
        if self._drop_in is None:
            return []
        return self._drop_in.configure_evaluate(server_round, arrays, config)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return the median of each metric that nodes claim; None where none was asked."""
        return self._drop_in.aggregate_evaluate(server_round, replies) if self._drop_in else None

    def summary(self) -> None:
        """Log the rule and its options."""
        log.info("%s", self.describe())


# Not by __init_subclass__, which is not called for the class itself.
RobustStrategy.__init__ = takes_nodes(RobustStrategy.__init__)  # type: ignore[method-assign]
