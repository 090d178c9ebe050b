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
from torch import Tensor

from app import workers
from app.memory import keep_freed_memory
from app.run import Run
from clients import GradientFn, HonestClient, Relabel
from strategies import Updates
from strategies.codecs import SignCodec
from strategies.training import Training


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Fleet:
    """The workers of one run. Small networks, and all on a GPU: every gradient in one call, and
    what honest workers send made of them as one matrix, on their device; else one worker a core.

    A worker's gradient always has one intra-op thread, so the number of cores changes no bit.
    """

    def __init__(self, run: Run, pool: ThreadPoolExecutor) -> None:
        self._config, self._problem, self._pool = run.config, run.problem, pool
        federation = run.config.federation(run.strategy)
        self._codec = federation.codec
        encoder = run.config.build_encoder(federation.encoder)
        self._source = run.problem.gradient
        self._batched = run.problem.batched()
        plain = encoder.prepare is None and not encoder.feedback and not run.config.worker_momentum
        self._as_one = plain and self._batched is not None
        self.liars = workers.adversary(run.config, run.problem)
        self._look_around = bool(self.liars.ids) and self.liars.attack.knowledge != "own"
        self._clients = [
            workers.client(
                worker, run.config, self._gradient, self._poisoned, encoder, {}, self.liars
            )
            for worker in range(federation.num_workers)
        ]

    def updates(
        self, parameters: Tensor, round: int, instructions: Mapping[str, Any]
    ) -> tuple[Updates | None, Counter[str]]:
        """The valid updates, if any, and how many others were dropped by which fault."""
        if self._as_one and "allocation" not in instructions:
            return self._of_one_matrix(parameters, round)
        x = parameters.cpu().numpy()
        self._source = self._problem.gradient
        if self._batched:
            matrix = self._batched(parameters, round).cpu().numpy()
            self._source = lambda parameters, worker, round: matrix[worker]
        elif self._look_around:
            gradient = self._source
            rows = list(self._pool.map(lambda c: gradient(x, c.worker, round), self._clients))
            self._source = lambda parameters, worker, round: rows[worker]
        self._lied_to = workers.poisoned(self._problem, instructions, self._config)
        if "allocation" in instructions:
            coded = workers.coded(self._source, instructions, self._config)
            self._each(lambda c: coded.sign(x, c.worker, round))  # each partition once
            self._source = coded
        rows = np.empty((len(self._clients), self._codec.length(len(x))), self._codec.dtype)
        faults = self._each(lambda client: self._write_row(rows, client, x, round))
        valid = [worker for worker, fault in enumerate(faults) if not fault]
        dropped = Counter(fault for fault in faults if fault)
        if not valid:
            return None, dropped
        rows = rows[valid] if dropped else rows
        return Updates.from_wire(rows, valid, self._codec, len(x), round), dropped

    def _of_one_matrix(self, parameters: Tensor, round: int) -> tuple[Updates | None, Counter[str]]:
        """Only what Byzantine workers send is made on the CPU, where attacks live."""
        matrix = self._batched(parameters, round)
        self._lied_to = workers.poisoned(self._problem, {}, self._config)
        seen = matrix.cpu() if self._look_around else matrix  # all at once: they read all rows
        self._source = lambda parameters, worker, round: seen[worker].cpu().numpy()
        signs = isinstance(self._codec, SignCodec)
        for worker in self._config.byzantine_ids:
            row = self._clients[worker].message(parameters.cpu().numpy(), round)
            crafted = torch.from_numpy(self._codec.decode(row, len(parameters)))
            matrix[worker] = crafted.to(matrix)  # one row: the honest ones are not touched
        if signs:  # a sign is a bit, whatever it was made of
            return Updates.from_matrix(matrix, round=round, signs=True), Counter()
        valid = torch.isfinite(matrix).all(dim=1)
        ids = valid.nonzero().squeeze(-1).cpu()
        dropped = Counter({"non-finite": len(matrix) - len(ids)} if len(ids) < len(matrix) else {})
        updates = Updates.from_matrix(matrix[valid], ids, round=round)
        return updates if len(ids) else None, dropped

    def _gradient(self, parameters: np.ndarray, worker: int, round: int) -> np.ndarray:
        return self._source(parameters, worker, round)

    def _poisoned(self, relabel: Relabel) -> GradientFn:
        return self._lied_to(relabel)

    def _write_row(
        self, rows: np.ndarray, client: HonestClient, parameters: np.ndarray, round: int
    ) -> str | None:
        """The worker's row, into its place; the fault that it has, if any."""
        row = rows[client.worker] = client.message(parameters, round)
        return self._codec.fault(row, len(parameters))

    def _each(self, work: Any) -> list[Any]:
        """In this thread when the gradients are there already: what is left is too short."""
        at_once = self._batched or self._look_around
        return list((map if at_once else self._pool.map)(work, self._clients))


def fleet(run: Run) -> np.ndarray:
    """All rounds of a run: an Engine. The bytes on record are those of rows and models alone."""
    keep_freed_memory()
    config, strategy, device = run.config, run.strategy, run.problem.device
    num_workers = config.workload.num_workers
    initial = run.problem.initial().to(device)
    training = Training(strategy, config.federation(strategy), initial, run.observe)
    codec, n_parameters = config.federation(strategy).codec, len(training.parameters)
    row_bytes = codec.length(n_parameters) * codec.dtype.itemsize
    on_gpu = device.type != "cpu"
    threads = 1 if on_gpu else min(cores(), num_workers)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        hosted = Fleet(run, pool)
        for round in range(1, config.num_rounds + 1):
            clock = [time.perf_counter()]
            instructions = strategy.instructions(num_workers)
            updates, dropped = hosted.updates(training.parameters, round, instructions)
            clock.append(time.perf_counter())
            record = {
                "round": round,
                "nodes": num_workers,
                "downlink_bytes": 4 * n_parameters * num_workers,
                "dropped": dict(dropped),
                "uplink_bytes": row_bytes * updates.n if updates else 0,
            }
            training.advance(updates, record)
            hosted.liars.findings = record
            clock.append(time.perf_counter())
            scores = run.evaluate(round, training.parameters)
            clock.append(time.perf_counter())
            phases = zip(("clients", "server", "evaluate"), clock, clock[1:], strict=False)
            seconds = {name: end - start for name, start, end in phases}
            run.on_round(record | (scores or {}) | {"seconds": seconds})
    return training.parameters.cpu().numpy()
