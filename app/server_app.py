"""What Flower starts on the server: run config -> task and strategy -> rounds -> run folder."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from app.config import RunConfig, build_strategy, check_machine, parse
from app.keys import Value, defaults
from app.run_folder import FAILED, FINISHED, INTERRUPTED, RunFolder, model_sha256, new_path, score
from app.task import TASKS

log = logging.getLogger("signfed")
app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """The ServerApp of `flwr run`."""
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    run(grid, context.run_config)


def run(grid: Grid, run_config: Mapping[str, Value]) -> Path:
    """One whole run over any Grid; returns its folder.

    Raises ConfigError before anything is sent, FederationError when the nodes fail the run; the
    folder then says so.
    """
    config = parse(run_config)
    strategy = build_strategy(config)
    check_machine(config)
    problem = TASKS[config.workload.task].problem(config.workload)
    initial = problem.initial()

    def evaluate_fn(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        if server_round % config.evaluate_every and server_round != config.num_rounds:
            return None
        return MetricRecord(problem.evaluate(torch.from_numpy(arrays["parameters"].numpy())))

    folder = RunFolder(_path(config), describe(config, run_config), len(initial))
    log.info("run folder: %s", folder.path)

    def on_round(record: dict[str, Any]) -> None:
        folder.write_round(record)
        if "test_loss" in record:
            log.info(
                "round %d/%d: %s, %d updates received, dropped: %s",
                record["round"], config.num_rounds, score(record),
                record["received"], record["dropped"] or "none",
            )  # fmt: skip

    _at_exit(lambda: folder.close(INTERRUPTED))
    strategy.summary()
    try:
        result = strategy.start(
            grid,
            ArrayRecord({"parameters": Array(initial.numpy())}),
            config.num_rounds,
            config.round_timeout,
            evaluate_fn=evaluate_fn,
            federation=config.federation(strategy),
            on_round=on_round,
        )
    except Exception as error:
        folder.close(FAILED, error=f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        folder.close(INTERRUPTED)
        raise
    digest = model_sha256(result.arrays["parameters"].numpy())
    folder.close(FINISHED, model_sha256=digest)
    log.info("finished: %s", folder.path)
    return folder.path


def _at_exit(handler: Callable[[], None]) -> None:
    """Have Flower call `handler` when a signal (`flwr stop`, Ctrl-C) ends this process.

    The ServerApp's thread gets no exception then. Flower's hook is private: without it, a stopped
    run's folder says "running".
    """
    try:
        from flwr.supercore.exit import add_exit_handler
    except ImportError:
        return
    add_exit_handler(handler)


def describe(config: RunConfig, run_config: Mapping[str, Value]) -> dict[str, Any]:
    """What `config.json` holds: every key, who lies, and the versions that ran."""
    packages = ("signfed", "flwr", "torch", "numpy")
    return {
        "config": defaults() | dict(run_config),
        "byzantine_ids": list(config.byzantine_ids),
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in packages},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # the app travels without being installed
        return "unknown"


def _path(config: RunConfig) -> Path:
    if config.out_dir:
        return Path(config.out_dir).expanduser()
    return new_path(Path.home(), config.workload.task, config.strategy.name, config.attack.name)
