"""The local engine: all workers of a run in one process, and no messages.

The same clients, attacks, codecs, rule and step as in Flower, and on a CPU the same bits.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from signfed.app.engines.freed_memory import keep_freed_memory
from signfed.app.engines.local.collector import LocalWorkers
from signfed.app.engines.local.later import Mending, RoundsLater
from signfed.app.engines.run import Run
from signfed.app.runs.resuming import lost_memories
from signfed.app.task.repeatable import repeatable
from signfed.strategies.ops.threads import cores
from signfed.strategies.server.loop import run_rounds
from signfed.strategies.server.training import Training

log = logging.getLogger("signfed")


def local_engine(run: Run, threads: int | None = None) -> np.ndarray:
    """Run all rounds in this process: an `Engine`.

    Parameters
    ----------
    run : Run
    threads : int, optional
        On a CPU; one a core by default. Their number changes no bit.

    Returns
    -------
    ndarray
        The final parameters, float32 [N].

    Raises
    ------
    FederationError
        When the federation cannot go on.
    """
    with repeatable(run.problem.device):
        return _run(run, threads)


def _run(run: Run, threads: int | None) -> np.ndarray:
    keep_freed_memory()
    device = run.problem.device
    federation = run.config.federation(run.strategy, run.problem)
    done, state = run.resume or (0, {})
    if state and lost_memories(run.config, state):
        log.warning("resume: what workers remember (momentum, errors) is not in it")
    initial = run.problem.initial().to(device)
    training = Training(run.strategy, federation, initial, run.observe, state)
    most = 1 if device.type != "cpu" else threads or cores()
    threads = min(most, federation.participation.count)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        collector = LocalWorkers(run, training, pool)
        collector.load_state_dict(state)
        state.clear()  # whoever holds it holds no tensors from here on
        later = RoundsLater(run, collector) if training.ledger is not None else None
        run_rounds(
            Mending(training, collector), collector, range(done + 1, run.config.num_rounds + 1),
            evaluate=run.evaluate, on_round=run.on_round, later=later,
        )  # fmt: skip
    return training.parameters.cpu().numpy()
