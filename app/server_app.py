"""What Flower starts on the server."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from flwr.app import ConfigRecord, Context
from flwr.serverapp import Grid, ServerApp

from signfed.app.config.knowledge import check_hosts
from signfed.app.config.own_modules import check_names
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import Run, execute
from signfed.app.federation.admission import admission
from signfed.app.flower import guard
from signfed.app.runs.resuming import lost_memories
from signfed.app.task import Problem
from signfed.strategies.core.options import Value
from signfed.strategies.server.keeping import at_exit
from signfed.strategies.server.own_app import run_federation
from signfed.strategies.server.transport import wire

app = ServerApp()
log = logging.getLogger("signfed")


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one federation: the ServerApp of `flwr run`.

    Parameters
    ----------
    grid : Grid
        The nodes, simulated or real.
    context : Context
        Its run config; the rest is not looked at.
    """
    logging.basicConfig(format="%(message)s")
    logging.getLogger("signfed").setLevel(logging.INFO)
    check_names(Path.cwd())  # Ray's processes look for modules there
    run(grid, context.run_config)


def run(grid: Grid, run_config: Mapping[str, Value]) -> Path:
    """Carry out one whole run over any Grid.

    Parameters
    ----------
    grid : Grid
        The nodes, simulated or real.
    run_config : mapping
        Run-config keys; missing ones take their defaults.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    ConfigError
        When the configuration is wrong; nothing was started.
    FederationError
        When the nodes fail the run.
    """
    from flwr.superlink.grid import HttpGrid

    on_devices = isinstance(grid, HttpGrid)
    admit = admission(grid, str(run_config.get("roster", ""))) if on_devices else None

    def engine(run: Run) -> np.ndarray:
        byzantine = set(run.config.byzantine_ids)
        if run.resume and lost_memories(run.config, {}):
            log.warning("resume: what workers remember (momentum, errors) was lost with the nodes")
        final = run_federation(
            run.strategy,
            replace(run.config.federation(run.strategy, run.problem), admit=admit),
            grid,
            run.problem.initial(),
            run.config.num_rounds,
            run.config.round_timeout,
            questions=_questions(run.problem),
            digest=run.problem.digest(),
            resume=run.resume,
            on_nodes=partial(check_hosts, run.config.attack, byzantine) if on_devices else None,
            observe=run.observe,
            evaluate=run.evaluate,
            on_round=run.on_round,
        )
        return final.cpu().numpy()

    prepared = prepare(run_config, reach="colluders" if on_devices else "omniscient")
    with ExitStack() as stack:
        return execute(prepared, engine, on_start=lambda end: stack.enter_context(_at_exit(end)))


def _questions(problem: Problem) -> ConfigRecord:
    """What nodes are asked besides their updates: a claim, where nothing better is to be had."""
    return ConfigRecord({} if problem.tested else {wire.ACCURACY: True})


def _at_exit(interrupt: Callable[[], None]) -> AbstractContextManager[None]:
    """Have the run interrupted when a signal ends this process."""

    def handler() -> None:
        interrupt()
        if guard.MARK in os.environ:  # all of Flower ends: nothing is left for its own handlers
            os._exit(0)

    return at_exit(handler)
