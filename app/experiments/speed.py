"""How long a round of a cell takes, from a few rounds that leave nothing behind."""

from __future__ import annotations

import time
from collections.abc import Callable

from signfed.app.config.run_config import build_strategy
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.experiments.cells import Cell
from signfed.app.task import Problem, Workload
from signfed.strategies.core.rule import State
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.record import RoundRecord

ENOUGH = 1.0  # seconds


def seconds_per_round(cell: Cell, load: Callable[[Workload], Problem]) -> float:
    """Return how long a round of a cell takes in this process, with one thread.

    A few are run, two at least. The first is not counted, however long it takes: it makes what
    all others use.

    Parameters
    ----------
    cell : Cell
    load : callable
        Makes the problem of a workload.
    """
    times = [time.perf_counter()]

    def on_round(record: RoundRecord, state: Callable[[], State]) -> bool:
        times.append(time.perf_counter())
        return len(times) > 2 and times[-1] - times[1] > ENOUGH

    config = cell.config
    run = Run(config, build_strategy(config), load(config.workload), None, on_round)
    try:
        with one_thread():
            local_engine(run, threads=1)
    except FederationError:  # the model diverged; the rounds before it took their time
        pass
    counted = times[1:] if len(times) > 2 else times
    return (counted[-1] - counted[0]) / max(1, len(counted) - 1)
