"""The fleet engine: all workers of a run in one process, and no messages.

The same clients, attacks, codecs, rule and step as in Flower, and on a CPU the same bits.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from app import workers
from app.run import Run
from clients import HonestClient
from strategies.training import Training


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Fleet:
    """The workers of one run. Small networks: all gradients in one call; else one worker a core.

    A worker's gradient always has one intra-op thread, so the number of cores changes no bit.
    """

    def __init__(self, run: Run, pool: ThreadPoolExecutor) -> None:
        self._config, self._problem, self._pool = run.config, run.problem, pool
        federation = run.config.federation(run.strategy)
        self._codec = federation.codec
        encoder = run.config.build_encoder(federation.encoder)
        self._source = run.problem.gradient
        self._batched = run.problem.batched()
        self._clients = [
            workers.client(worker, run.config, self._gradient, encoder, {})
            for worker in range(federation.num_workers)
        ]

    def rows(
        self, parameters: np.ndarray, round: int, instructions: Mapping[str, Any]
    ) -> tuple[dict[int, np.ndarray], Counter[str]]:
        """Valid rows by worker id, and how many others were dropped by which fault."""
        self._source = self._problem.gradient
        if self._batched:
            matrix = self._batched(parameters, round).cpu().numpy()
            self._source = lambda parameters, worker, round: matrix[worker]
        if "allocation" in instructions:
            coded = workers.coded(self._source, instructions, self._config)
            self._each(lambda c: coded.sign(parameters, c.worker, round))  # each partition once
            self._source = coded
        found = self._each(lambda client: self._row(client, parameters, round))
        valid = {worker: row for worker, (row, fault) in enumerate(found) if not fault}
        return valid, Counter(fault for _, fault in found if fault)

    def _gradient(self, parameters: np.ndarray, worker: int, round: int) -> np.ndarray:
        return self._source(parameters, worker, round)

    def _row(
        self, client: HonestClient, parameters: np.ndarray, round: int
    ) -> tuple[np.ndarray, str | None]:
        row = client.message(parameters, round)
        return row, self._codec.fault(row, len(parameters))

    def _each(self, work: Any) -> list[Any]:
        """In this thread when the gradients are there already: what is left is too short."""
        return list((map if self._batched else self._pool.map)(work, self._clients))


def fleet(run: Run) -> np.ndarray:
    """All rounds of a run: an Engine. The bytes on record are those of rows and models alone."""
    config, strategy = run.config, run.strategy
    num_workers = config.workload.num_workers
    training = Training(strategy, config.federation(strategy), run.problem.initial())
    n_parameters = len(training.parameters)
    on_gpu = torch.cuda.is_available() and config.workload.device != "cpu"
    threads = 1 if on_gpu else min(cores(), num_workers)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        workers_of_run = Fleet(run, pool)
        for round in range(1, config.num_rounds + 1):
            clock = [time.perf_counter()]
            instructions = strategy.instructions(num_workers)
            rows, dropped = workers_of_run.rows(training.parameters.numpy(), round, instructions)
            clock.append(time.perf_counter())
            record = {
                "round": round,
                "nodes": num_workers,
                "downlink_bytes": 4 * n_parameters * num_workers,
                "dropped": dict(dropped),
                "uplink_bytes": sum(row.nbytes for row in rows.values()),
            }
            training.advance(rows, record)
            clock.append(time.perf_counter())
            scores = run.evaluate(round, training.parameters)
            clock.append(time.perf_counter())
            phases = zip(("clients", "server", "evaluate"), clock, clock[1:], strict=False)
            seconds = {name: end - start for name, start, end in phases}
            run.on_round(record | (scores or {}) | {"seconds": seconds})
    return training.parameters.numpy()
