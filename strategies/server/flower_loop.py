"""Flower's rounds in another's app, through whatever methods a subclass overrides."""

from __future__ import annotations

from collections.abc import Callable
from logging import INFO, NOTSET, getLogger
from pathlib import Path
from time import perf_counter
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from torch import Tensor

from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server import door
from signfed.strategies.server.drop_in import Byzantine, DropIn
from signfed.strategies.server.keeping import Recorder, at_exit
from signfed.strategies.server.loop import run_rounds
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Observe

log = getLogger("signfed")

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]
SCORES = {"accuracy": "test_accuracy", "loss": "test_loss"}  # what evaluate_fn calls them


def run(
    strategy: Strategy,
    begin: Callable[[State, Observe | None], DropIn],
    grid: Grid,
    num_rounds: int,
    train_config: ConfigRecord | None,
    evaluate_config: ConfigRecord | None,
    evaluate_fn: EvaluateFn | None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    byzantine: Byzantine = (),
) -> Result:
    """Run the rounds of a Flower app.

    Parameters
    ----------
    strategy : Strategy
        Whose four methods are called: they may be overridden.
    begin : callable
        Makes the run from an earlier state and what sees each usable round.
    grid, num_rounds, train_config, evaluate_config, evaluate_fn
        As for Flower's `Strategy.start`.
    run_dir, resume, byzantine
        As for `RobustStrategy.start`, which also says what is raised.

    Returns
    -------
    Result
        The final model, and metrics by round.
    """
    if isinstance(byzantine, str) and byzantine != "announced":
        raise ValueError(f"byzantine: expected node ids or 'announced'; got {byzantine!r}")
    _show_log()
    recorder: Recorder | None = None
    if run_dir or resume:
        recorder = door.package.RunRecorder(run_dir, resume)
    done, state = recorder.resume if recorder else (0, {})
    # Asked in a round, when there is a run.
    observe = recorder.observe(lambda: drop_in.byzantine(byzantine)) if recorder else None
    drop_in = begin(state, observe)
    if not done or done < num_rounds:  # else a run that was killed at its end is to be ended
        drop_in.gather(state)
        drop_in.rule.check(drop_in.attendance.expected, num_rounds)
    state.clear()  # whoever holds it holds no tensors from here on
    strategy.summary()
    result = Result(arrays=drop_in.arrays)
    rounds = _Rounds(strategy, drop_in, grid, train_config or ConfigRecord())

    def evaluated(server_round: int, parameters: Tensor) -> dict[str, float]:
        _ask_clients(strategy, drop_in, grid, server_round, evaluate_config, result)
        return _ask_server(drop_in, server_round, evaluate_fn, result)

    def recorded(record: RoundRecord, state: Callable[[], State]) -> None:
        log.info(
            "round %d/%d: %d updates received, dropped: %s",
            record.round, num_rounds, record.received, record.losses,
        )  # fmt: skip
        if rounds.metrics is not None:
            result.train_metrics_clientapp[record.round] = rounds.metrics
        result.arrays = drop_in.arrays
        if recorder:
            recorder.after_round(record, state)

    def carried_out() -> None:
        if not done:
            _ask_server(drop_in, 0, evaluate_fn, result)
        numbers = range(done + 1, num_rounds + 1)
        run_rounds(rounds, rounds, numbers, evaluate=evaluated, on_round=recorded)

    if recorder is None:
        carried_out()
        return result
    with at_exit(recorder.interrupt):
        try:
            recorder.begin(_described(drop_in), drop_in.training.parameters.numel(), num_rounds)
            carried_out()
        except BaseException as error:
            recorder.end(None, error)
            raise
        recorder.end(drop_in.training.parameters, None)
    _report(Path(resume or run_dir or ""))
    return result


def _report(folder: Path) -> None:
    """Write the run's report, where its packages are; a run that is done does not fail for it."""
    try:
        log.info("report: %s", door.package.report(folder.expanduser()))
    except Exception as error:
        log.warning("no report: %s: %s", type(error).__name__, error)


def _show_log() -> None:
    """Write our log where Flower writes its own, in an app that has not said where logs go."""
    if not log.hasHandlers():
        for handler in getLogger("flwr").handlers:
            log.addHandler(handler)
        if log.level == NOTSET:
            log.setLevel(INFO)


class _Rounds:
    """Collector and training of the loop in one, since a subclass may stand between the two."""

    def __init__(
        self, strategy: Strategy, drop_in: DropIn, grid: Grid, config: ConfigRecord
    ) -> None:
        self._strategy, self._drop_in, self._grid, self._config = strategy, drop_in, grid, config
        self._replies: list[Message] = []
        self.metrics: MetricRecord | None = None

    @property
    def parameters(self) -> Tensor:
        return self._drop_in.training.parameters

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        """Send what `configure_train` returns, and keep the replies for `aggregate_train`."""
        started = perf_counter()
        link = self._drop_in.link
        messages = self._strategy.configure_train(
            server_round, self._drop_in.arrays, self._config, self._grid
        )
        messages = list(messages)
        # Whoever overrides the method may have left some out.
        left = {message.metadata.dst_node_id for message in messages}
        link.asked = {node: ids for node, ids in link.asked.items() if node in left}
        link.record.nodes = len(link.asked)
        self._replies = link.exchange(messages)
        link.record.seconds["clients"] = perf_counter() - started
        return None, link.record

    def advance(self, updates: Updates | None, record: RoundRecord) -> bool:
        """Have `aggregate_train` take the step. Raises ValueError when it returns another model."""
        arrays, self.metrics = self._strategy.aggregate_train(record.round, self._replies)
        self._replies = []
        if arrays is not None and arrays is not self._drop_in.arrays:
            raise ValueError(
                f"{type(self._strategy).__name__}.aggregate_train: expected the arrays that "
                "super().aggregate_train returned, or None; got others. The model is kept by the "
                "strategy: read it there, do not replace it"
            )
        return arrays is not None

    def state_dict(self) -> State:
        return self._drop_in.training.state_dict() | self._drop_in.state_dict()


def _ask_clients(
    strategy: Strategy,
    drop_in: DropIn,
    grid: Grid,
    server_round: int,
    config: ConfigRecord | None,
    result: Result,
) -> None:
    messages = strategy.configure_evaluate(
        server_round, drop_in.arrays, config or ConfigRecord(), grid
    )
    if requests := list(messages):
        replies = drop_in.link.exchange(requests)
        if metrics := strategy.aggregate_evaluate(server_round, replies):
            result.evaluate_metrics_clientapp[server_round] = metrics


def _ask_server(
    drop_in: DropIn, server_round: int, evaluate_fn: EvaluateFn | None, result: Result
) -> dict[str, float]:
    """What evaluate_fn finds: its accuracy and loss are those of the run, the rest is recorded."""
    metrics = evaluate_fn(server_round, drop_in.arrays) if evaluate_fn else None
    if metrics is None:
        return {}
    result.evaluate_metrics_serverapp[server_round] = metrics
    log.info("round %d: evaluated: %s", server_round, dict(metrics))
    found = {name: _plain(value) for name, value in metrics.items()}
    scores = {n: float(v) for n, v in found.items() if n in SCORES and isinstance(v, int | float)}
    rest = {n: v for n, v in found.items() if n not in scores and v is not None}
    drop_in.link.record.server_metrics = rest
    return {SCORES[name]: value for name, value in scores.items()}


def _plain(value: Any) -> int | float | list[Any] | None:
    """A metric as JSON has it, also of a user's dict with NumPy's or PyTorch's numbers."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, int | float):
        return value
    numbers = isinstance(value, list) and all(isinstance(each, int | float) for each in value)
    return value if numbers else None


def _described(drop_in: DropIn) -> dict[str, Any]:
    """What a run's record says of its rule and options; a resumed run must have the same."""
    options = {n: v for n, v in vars(drop_in.options).items() if n != "roster"}
    return {"strategy": drop_in.rule.describe()} | {
        name: value for name, value in options.items() if isinstance(value, int | float | str)
    }
