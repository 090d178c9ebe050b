"""One whole run, whatever the engine: run config -> task and strategy -> rounds -> run folder."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from signfed.app.config.keys import defaults
from signfed.app.config.knowledge import check_reach
from signfed.app.config.run_config import RunConfig, build_strategy, check_machine, parse
from signfed.app.runs import checkpoint
from signfed.app.runs.claim import new_folder
from signfed.app.runs.folder import (
    DIVERGED,
    FAILED,
    FINISHED,
    RunFolder,
    model_sha256,
    score,
)
from signfed.app.runs.resuming import forget_later, resumed
from signfed.app.runs.saving import Saver
from signfed.app.runs.scoring import Scorer
from signfed.app.task import Problem, find_task
from signfed.attacks import Knowledge
from signfed.strategies.core.options import Value
from signfed.strategies.server.federation import DivergedError
from signfed.strategies.server.strategy import RobustStrategy
from signfed.strategies.server.training import Observe, State

log = logging.getLogger("signfed")

OnRound = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Run:
    """What an engine gets.

    observe: scores a usable round; None when nobody lies. on_round: takes one record a round, the
    line of `rounds.jsonl`, and a function that returns the engine's state after it.
    resume: such a state and its round, to go on from.
    """

    config: RunConfig
    strategy: RobustStrategy
    problem: Problem
    observe: Observe | None
    on_round: Callable[[dict[str, Any], Callable[[], State]], None]
    resume: tuple[int, State] | None = None

    def evaluate(self, server_round: int, parameters: Tensor) -> dict[str, float] | None:
        """What the model is worth, in the rounds that are evaluated; None in the others."""
        if server_round % self.config.evaluate_every and server_round != self.config.num_rounds:
            return None
        return self.problem.evaluate(parameters)


# Runs all rounds; returns the final parameters, float32 [N].
Engine = Callable[[Run], np.ndarray]


def execute(
    run_config: Mapping[str, Value],
    engine: Engine,
    *,
    reach: Knowledge,
    on_start: Callable[[Callable[[], None]], None] = lambda interrupt: None,
    on_round: OnRound = lambda record: None,
) -> Path:
    """One whole run; returns its folder.

    reach: the most that an attack can know where the engine runs its clients.
    on_start: gets, before round 1, a function that ends the run's files from any thread.
    on_round: gets each record after it was written; a KeyboardInterrupt from it ends the run
    exactly there.
    Raises ConfigError before anything is started, and whatever the engine raises (FederationError
    when the nodes fail the run); the folder then says so.
    """
    config = parse(run_config)
    strategy = build_strategy(config)
    check_machine(config)
    if config.byzantine_ids:
        check_reach(config.attack, reach)
    last = resumed(config, run_config)
    done, seconds = (last.server_round, last.seconds) if last else (0, 0.0)
    problem = find_task(config.workload.task).problem(config.workload)
    described, path = describe(config, run_config), _path(config)
    folder = RunFolder(
        path, described, len(problem.initial()),
        done=done if config.resume else None, seconds=seconds,
    )  # fmt: skip
    log.info("run folder: %s", folder.path)
    if config.resume:
        log.info("goes on after round %d", done)
        forget_later(folder.path, done)
    saver = Saver(folder, described["config"], config.checkpoint_every, config.num_rounds)
    on_start(saver.interrupt)
    strategy.summary()

    def write(record: dict[str, Any], state: Callable[[], State]) -> None:
        saver.after_round(record, state)
        if "test_loss" in record:
            log.info(
                "round %d/%d: %s, %d updates received, dropped: %s",
                record["round"], config.num_rounds, score(record),
                record["received"], record["dropped"] or "none",
            )  # fmt: skip
        try:
            on_round(record)
        except KeyboardInterrupt:
            saver.keep(record["round"], state)
            raise

    try:
        liars = config.byzantine_ids
        observe = Scorer(liars, config.workload.num_workers) if liars else None
        start = (done, last.state) if last else None
        parameters = engine(Run(config, strategy, problem, observe, write, start))
    except DivergedError as error:
        folder.close(DIVERGED, error=str(error))
        raise
    except Exception as error:
        with suppress(OSError):  # the disk may be what failed
            folder.close(FAILED, error=f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        saver.interrupt()
        raise
    status = FINISHED if np.isfinite(parameters).all() else DIVERGED
    folder.close(status, model_sha256=model_sha256(parameters))
    log.info("%s: %s", status, folder.path)
    return folder.path


def describe(config: RunConfig, run_config: Mapping[str, Value]) -> dict[str, Any]:
    """What `config.json` holds: every key, who lies, and the versions that ran."""
    packages = ("signfed", "flwr", "torch", "numpy")
    return {
        "config": defaults() | dict(run_config) | {"resume": ""},
        "byzantine_ids": list(config.byzantine_ids),
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in packages},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # the app travels without being installed
        return "unknown"


def _path(config: RunConfig) -> Path:
    if config.resume:
        return checkpoint.run_of(Path(config.resume).expanduser())
    if config.out_dir:
        return Path(config.out_dir).expanduser()
    return new_folder(Path.home(), config.workload.task, config.strategy.name, config.attack.name)
