"""The fleet engine: all workers of a run in one process, and no messages.

The same clients, attacks, codecs, rule and step as in Flower, and on a CPU the same bits.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signfed.app.engines import workers
from signfed.app.engines.memory import keep_freed_memory
from signfed.app.engines.run import Run
from signfed.app.runs.resuming import lost_memories
from signfed.clients import GradientFn, HonestClient, Relabel
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.updates import Updates, is_finite, is_signs
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.training import State, Training

log = logging.getLogger("signfed")

AHEAD = 1 << 26  # values of gradients that may wait in memory: 256 MiB


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalWorkers:
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
        self._asked = federation.participation.workers
        self._batched = run.problem.batched(self._asked)
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
        self, parameters: Tensor, server_round: int, instructions: Mapping[str, Any]
    ) -> tuple[Updates | None, Counter[str]]:
        """The valid updates, if any, and how many others were dropped by which fault."""
        asked = self._asked(server_round)
        place = {worker: i for i, worker in enumerate(asked)}
        if self._as_one and "allocation" not in instructions:
            return self._of_one_matrix(parameters, place, server_round)
        x, clients = parameters.cpu().numpy(), [self._clients[worker] for worker in asked]
        self._source = self._problem.gradient
        if self._batched:
            matrix = self._batched(parameters, asked, server_round).cpu().numpy()
            self._source = lambda parameters, worker, server_round: matrix[place[worker]]
        elif self._look_around or self._computes_ahead(len(asked) * len(x), instructions):
            found = [self._pool.submit(self._source, x, worker, server_round) for worker in asked]
            self._source = lambda parameters, worker, server_round: found[place[worker]].result()
        self._lied_to = workers.poisoned(self._problem, instructions, self._config)
        if "allocation" in instructions:
            coded = workers.coded(self._source, instructions, self._config)
            self._each(
                lambda c: coded.sign(x, c.worker, server_round), clients
            )  # each partition once
            self._source = coded
        rows = np.empty((len(clients), self._codec.length(len(x))), self._codec.dtype)

        def write(client: HonestClient) -> str | None:
            row = rows[place[client.worker]] = client.message(x, server_round)
            return self._codec.fault(row, len(x))

        faults = self._each(write, clients)
        valid = [worker for worker, fault in zip(asked, faults, strict=True) if not fault]
        dropped = Counter(fault for fault in faults if fault)
        if not valid:
            return None, dropped
        rows = rows[[place[worker] for worker in valid]] if dropped else rows
        return Updates.from_wire(rows, valid, self._codec, len(x), server_round), dropped

    def _of_one_matrix(
        self, parameters: Tensor, place: Mapping[int, int], server_round: int
    ) -> tuple[Updates | None, Counter[str]]:
        """Only what Byzantine workers send is made on the CPU, where attacks live.

        place: worker -> its row, ascending.
        """
        matrix = self._batched(parameters, list(place), server_round)
        self._lied_to = workers.poisoned(self._problem, {}, self._config)
        seen = matrix.cpu() if self._look_around else matrix  # all at once: they read all rows
        self._source = lambda parameters, worker, server_round: seen[place[worker]].cpu().numpy()
        liars = [worker for worker in self._config.byzantine_ids if worker in place]
        x = parameters.cpu().numpy() if liars else None
        crafted = {place[w]: self._clients[w].message(x, server_round) for w in liars}
        workers_of_rows = torch.tensor(list(place))
        if isinstance(self._codec, SignCodec):  # a sign is a bit, whatever it was made of
            packed = PackedSigns.pack(matrix).bits
            for i, row in crafted.items():
                packed[i] = torch.from_numpy(row)
            return Updates(workers_of_rows, server_round, matrix.shape[1], packed, True), Counter()
        for i, row in crafted.items():
            matrix[i] = torch.from_numpy(self._codec.decode(row, matrix.shape[1]))
        if is_finite(matrix):
            return Updates.from_matrix(
                matrix, workers_of_rows, server_round=server_round
            ), Counter()
        valid = torch.isfinite(matrix).all(dim=1)
        ids = workers_of_rows[valid.cpu()]
        dropped = Counter({"non-finite": len(matrix) - len(ids)})
        updates = Updates.from_matrix(matrix[valid], ids, server_round=server_round)
        return updates if len(ids) else None, dropped

    def _computes_ahead(self, values: int, instructions: Mapping[str, Any]) -> bool:
        """Whether all gradients come first and rows are made of them when a core is free: while
        the last of an odd number is computed, one is. They are all in memory then.
        """
        lies_in_data = bool(self.liars.ids) and self.liars.attack.stage == "data"
        return values <= AHEAD and "allocation" not in instructions and not lies_in_data

    def _gradient(self, parameters: np.ndarray, worker: int, server_round: int) -> np.ndarray:
        return self._source(parameters, worker, server_round)

    def _poisoned(self, relabel: Relabel) -> GradientFn:
        return self._lied_to(relabel)

    def _each(self, work: Any, clients: list[HonestClient]) -> list[Any]:
        """In this thread when the gradients are there already: what is left is too short."""
        at_once = self._batched or self._look_around
        return list((map if at_once else self._pool.map)(work, clients))

    def state_dict(self) -> State:
        """What workers remember: `worker-3.momentum` and the like."""
        return {
            f"worker-{client.worker}.{name}": torch.from_numpy(value)
            for client in self._clients
            for name, value in client.memory.items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state_dict` returned; all else in it is not looked at."""
        for key, value in state.items():
            worker, _, name = key.removeprefix("worker-").partition(".")
            if key.startswith("worker-"):
                self._clients[int(worker)].memory[name] = value.numpy()


def local_engine(run: Run) -> np.ndarray:
    """All rounds of a run: an Engine. The bytes on record are those of rows and models alone."""
    keep_freed_memory()
    config, strategy, device = run.config, run.strategy, run.problem.device
    federation = config.federation(strategy)
    training = Training(strategy, federation, run.problem.initial().to(device), run.observe)
    codec, n_parameters = federation.codec, len(training.parameters)
    row_bytes = codec.length(n_parameters) * codec.dtype.itemsize
    count = federation.participation.count
    threads = 1 if device.type != "cpu" else min(cores(), count)
    done, state = run.resume or (0, {})
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        hosted = LocalWorkers(run, pool)
        if state:
            if lost_memories(config, state):
                log.warning("resume: what workers remember (momentum, errors) is not in it")
            training.load_state_dict(state)
            hosted.load_state_dict(state)
        for server_round in range(done + 1, config.num_rounds + 1):
            clock = [time.perf_counter()]
            instructions = strategy.instructions(federation.num_workers)
            packed = training.direction is not None and is_signs(training.direction)
            updates, dropped = hosted.updates(training.parameters, server_round, instructions)
            clock.append(time.perf_counter())
            record = {
                "round": server_round,
                "nodes": count,
                "downlink_bytes": count * (-(-n_parameters // 8) if packed else 4 * n_parameters),
                "dropped": dict(dropped),
                "uplink_bytes": row_bytes * updates.n if updates else 0,
            }
            training.advance(updates, record)
            hosted.liars.findings = record
            clock.append(time.perf_counter())
            scores = run.evaluate(server_round, training.parameters)
            clock.append(time.perf_counter())
            phases = zip(("clients", "server", "evaluate"), clock, clock[1:], strict=False)
            seconds = {name: end - start for name, start, end in phases}
            run.on_round(
                record | (scores or {}) | {"seconds": seconds},
                lambda: training.state_dict() | hosted.state_dict(),
            )
    return training.parameters.cpu().numpy()
