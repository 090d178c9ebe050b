"""The local engine: all workers of a run in one process, and no messages.

The same clients, attacks, codecs, rule and step as in Flower, and on a CPU the same bits.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from signfed.app.engines import workers
from signfed.app.engines.matrix import Collected, of_one_matrix
from signfed.app.engines.memory import keep_freed_memory
from signfed.app.engines.rehearsal import Rehearsal
from signfed.app.engines.run import Run
from signfed.app.runs.resuming import lost_memories
from signfed.attacks import Findings
from signfed.clients import GradientFn, HonestClient, Poison
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates, is_signs
from signfed.strategies.server.loop import run_rounds
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training

log = logging.getLogger("signfed")

ONE_BIT = "local.one_bit"  # name of it among the state
AHEAD = 1 << 26  # values of gradients that may wait in memory: 256 MiB

Answer = TypeVar("Answer")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalWorkers:
    """Compute the updates of one run's workers in this process: a `Collector`.

    Small networks, and all on a GPU: every gradient in one call, and what honest workers send made
    of them as one matrix, on their device; else one worker a core. A worker's gradient always has
    one intra-op thread, so the number of cores changes no bit.

    Parameters
    ----------
    run : Run
        What to run.
    training : Training
        Its model, which the gradients are computed on.
    pool : ThreadPoolExecutor
        Threads with one intra-op thread each.
    """

    def __init__(self, run: Run, training: Training, pool: ThreadPoolExecutor) -> None:
        self._config, self._problem, self._pool = run.config, run.problem, pool
        self._rule, self._training = run.strategy, training
        federation = run.config.federation(run.strategy)
        self._codec = federation.codec
        encoder = run.config.build_encoder(federation.encoder)
        self._source: GradientFn = run.problem.gradient
        self._poison: Callable[[Poison], GradientFn] = workers.poisoned(run.problem, {}, run.config)
        self._asked = federation.participation.workers
        self._batched = run.problem.batched(self._asked)
        self._plain = not (encoder.prepare or encoder.feedback or run.config.worker_momentum)
        self._adversary = workers.adversary(run.config, run.problem)
        self._adversary.memories = {}  # known from the first round on
        self._adversary.ask_rule = Rehearsal(
            run.strategy, encoder, run.config.workload.seed,
            run.problem.device if self._batched and self._plain else torch.device("cpu"),
            self._adversary.remembered, training.as_rule_gets,
        )  # fmt: skip
        byzantine = bool(self._adversary.ids)
        self._look_around = byzantine and self._adversary.attack.knowledge != "own"
        self._change_data = byzantine and self._adversary.attack.stage == "data"
        self._record = RoundRecord(0)  # of the last round
        self._one_bit = False  # whether the last direction was signs, which go down as bits
        client = partial(
            workers.client, config=run.config,
            gradient=lambda *of: self._source(*of),  # both are others in each round
            poisoned=lambda poison: self._poison(poison),
            encoder=encoder, memory={}, adversary=self._adversary,
        )  # fmt: skip
        self._clients = [client(worker) for worker in range(federation.num_workers)]

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        """Compute what the workers of the round send; bytes are those of rows and models alone."""
        started = perf_counter()
        self._adversary.findings = Findings.from_record(self._record.findings)
        # Copies: some workers are done with the round, and remember it, when others look at them.
        self._adversary.memories = {c.worker: dict(c.memory) for c in self._clients}
        asked, x = self._asked(server_round), self._training.parameters
        instructions = self._rule.instructions(self._config.workload.num_workers)
        direction = self._training.direction
        self._one_bit = self._one_bit if direction is None else is_signs(direction)
        self._poison = workers.poisoned(self._problem, instructions, self._config)
        if self._batched and self._plain and "allocation" not in instructions:
            matrix = self._batched(x, asked, server_round)
            updates, dropped = self._of_one_matrix(matrix, asked, server_round)
        else:
            updates, dropped = self._one_by_one(asked, server_round, instructions)
        row_bytes = self._codec.length(len(x)) * self._codec.dtype.itemsize
        self._record = RoundRecord(
            server_round,
            nodes=len(asked),
            uplink_bytes=row_bytes * updates.n if updates else 0,
            downlink_bytes=len(asked) * (-(-len(x) // 8) if self._one_bit else 4 * len(x)),
        )
        self._record.drop(dropped)
        self._record.claims = workers.claims(self._config, self._problem, x, updates, server_round)
        self._record.seconds["clients"] = perf_counter() - started
        return updates, self._record

    def _one_by_one(
        self, asked: Sequence[int], server_round: int, instructions: Mapping[str, Any]
    ) -> Collected:
        x = self._training.parameters.cpu().numpy()
        place = {worker: i for i, worker in enumerate(asked)}
        clients = [self._clients[worker] for worker in asked]
        self._source = self._gradients(x, asked, server_round, instructions)
        if "allocation" in instructions:
            coded = workers.coded(self._source, instructions, self._config)
            self._each(lambda c: coded.sign(x, c.worker, server_round), clients)  # each only once
            self._source = coded
        rows = np.empty((len(clients), self._codec.length(len(x))), self._codec.dtype)

        def write(client: HonestClient) -> DropReason | None:
            row = client.message(x, server_round)
            if row is None:
                return DropReason.NON_FINITE
            rows[place[client.worker]] = row
            return self._codec.fault(row, len(x))

        faults = zip(asked, self._each(write, clients), strict=True)
        dropped = {worker: fault for worker, fault in faults if fault}
        valid = [worker for worker in asked if worker not in dropped]
        if not valid:
            return None, dropped
        rows = rows[[place[worker] for worker in valid]] if dropped else rows
        return Updates.from_wire(rows, valid, self._codec, len(x), server_round), dropped

    def _gradients(
        self,
        x: np.ndarray,
        asked: Sequence[int],
        server_round: int,
        instructions: Mapping[str, Any],
    ) -> GradientFn:
        """The gradients of the round: computed here, under way, or left to whoever needs them."""
        if self._batched:
            matrix = self._batched(x, asked, server_round).cpu().numpy()
            return workers.looked_up(asked, lambda i: matrix[i])
        # All gradients come first, and rows are made of them when a core is free: while the last of
        # an odd number is computed, one is. They are all in memory then.
        few = len(asked) * len(x) <= AHEAD and "allocation" not in instructions
        if self._look_around or (few and not self._change_data):
            gradient = self._problem.gradient
            found = [self._pool.submit(gradient, x, worker, server_round) for worker in asked]
            return workers.looked_up(asked, lambda i: found[i].result())
        return self._problem.gradient

    def _of_one_matrix(self, matrix: Tensor, asked: Sequence[int], server_round: int) -> Collected:
        """Only what Byzantine workers send is made on the CPU, where attacks live.

        matrix: the gradients, float32 [n, N]; changed in place.
        """
        seen = matrix.cpu() if self._look_around else matrix  # all at once: they read all rows
        self._source = workers.looked_up(asked, lambda i: seen[i].cpu().numpy())
        byzantine = set(self._config.byzantine_ids).intersection(asked)
        x = self._training.parameters.cpu().numpy() if byzantine else np.empty(0)
        crafted = {
            i: self._clients[worker].message(x, server_round)
            for i, worker in enumerate(asked)
            if worker in byzantine
        }
        return of_one_matrix(matrix, crafted, asked, self._codec, server_round)

    def _each(
        self, work: Callable[[HonestClient], Answer], clients: list[HonestClient]
    ) -> list[Answer]:
        """In this thread when the gradients are there already: what is left is too short."""
        at_once = self._batched or self._look_around
        return list((map if at_once else self._pool.map)(work, clients))

    def state_dict(self) -> State:
        """What workers remember, `worker-3.momentum` and the like, and how the last step went."""
        direction = self._training.direction
        one_bit = self._one_bit if direction is None else is_signs(direction)
        return {ONE_BIT: torch.tensor(one_bit)} | {
            f"worker-{client.worker}.{name}": torch.from_numpy(value)
            for client in self._clients
            for name, value in client.memory.items()
        }

    def load_state_dict(self, state: State) -> None:
        """Put back what `state_dict` returned; all else in it is not looked at."""
        self._one_bit = bool(state.get(ONE_BIT, False))
        for key, value in state.items():
            worker, _, name = key.removeprefix("worker-").partition(".")
            if key.startswith("worker-"):
                self._clients[int(worker)].memory[name] = value.numpy()


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
        run_rounds(
            training, collector, range(done + 1, run.config.num_rounds + 1),
            evaluate=run.evaluate, on_round=run.on_round,
        )  # fmt: skip
    return training.parameters.cpu().numpy()
