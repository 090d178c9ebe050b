"""All workers of a run in one process: what they send in a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, TypeVar
from weakref import proxy

import numpy as np
import torch
from torch import Tensor

from signfed.app.engines import workers
from signfed.app.engines.claims import claims
from signfed.app.engines.local.collected import Collected, crafted_at_once, of_one_matrix
from signfed.app.engines.local.memories import load_memories, state_of_memories
from signfed.app.engines.local.resident import ResidentRounds
from signfed.app.engines.rehearsal import Rehearsal
from signfed.app.engines.run import Run
from signfed.attacks import Findings
from signfed.attacks.core.rows import without_tensors
from signfed.clients import GradientFn, HonestClient, Poison
from signfed.clients.at_once import can_be_at_once
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.ledger import Ledger
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.values import is_signs
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training

ONE_BIT = "local.one_bit"  # name of it among the state
AHEAD = 1 << 26  # values of gradients that may wait in memory: 256 MiB

Answer = TypeVar("Answer")


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
        run.note(gradients=run.problem.way)
        self._plain = not (encoder.prepare or encoder.feedback or run.config.worker_momentum)
        self._adversary = workers.adversary(run.config, run.problem, run.attack)
        self._adversary.memories = {}  # known from the first round on
        itself, me = proxy(self._adversary), proxy(self)  # a circle keeps all until Python looks
        self._adversary.ask_rule = Rehearsal(
            run.strategy, encoder, run.config.workload.seed,
            run.problem.device if self._batched and self._plain else torch.device("cpu"),
            lambda worker: itself.remembered(worker), training.as_rule_gets,
        )  # fmt: skip
        self._row_bytes = self._codec.length(len(training.parameters)) * self._codec.dtype.itemsize
        byzantine = bool(self._adversary.ids)
        self._look_around = byzantine and self._adversary.attack.knowledge != "own"
        self._change_data = byzantine and self._adversary.attack.stage == "data"
        self._everyone = federation.participation.count == federation.num_workers
        self._memory_of = lambda worker: me._clients[worker].memory
        self._resident: ResidentRounds | None = None  # rounds that stay on their device
        if self._batched and self._plain and training.parameters.device.type != "cpu":
            training.ledger = Ledger()
            self._resident = ResidentRounds(
                self._batched, self._adversary, self._codec, training.ledger, self._memory_of
            )
        self._record = RoundRecord(0)  # of the last round
        self._one_bit = False  # whether the last direction was signs, which go down as bits
        client = partial(
            workers.client, config=run.config,
            gradient=lambda *of: me._source(*of),  # both are others in each round
            poisoned=lambda poison: me._poison(poison),
            encoder=encoder, memory={}, adversary=self._adversary,
        )  # fmt: skip
        self._clients: list[HonestClient] = [
            client(worker) for worker in range(federation.num_workers)
        ]

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        """Compute what the workers of the round send; bytes are those of rows and models alone."""
        started = perf_counter()
        if self._adversary.attack.knowledge == "server":  # it sees what the rule found out
            self.settle()
        self._adversary.findings = Findings.from_record(self._record.findings)
        # Copies: some workers are done with the round, and remember it, when others look at them.
        self._adversary.memories = {c.worker: dict(c.memory) for c in self._clients}
        asked, x = self._asked(server_round), self._training.parameters
        self._record = record = RoundRecord(server_round, nodes=len(asked))
        instructions = self._rule.instructions(self._config.workload.num_workers)
        self._poison = workers.poisoned(self._problem, instructions, self._config)
        attack, _ = self._adversary.planned(server_round)
        updates: Updates | None
        dropped: Mapping[int, DropReason] = {}
        if self._batched and self._plain and "allocation" not in instructions:
            if self._resident and can_be_at_once(attack, self._everyone):
                updates = self._resident.collect(x, asked, server_round)
                if server_round < self._config.num_rounds:  # while the device computes this round
                    self._batched.draw_ahead(self._asked(server_round + 1), server_round + 1)
            else:
                matrix = self._batched(x, asked, server_round)
                updates, dropped = self._of_one_matrix(matrix, asked, server_round)
        else:
            updates, dropped = self._one_by_one(asked, server_round, instructions)
        self._count_downlink(record, self._training.direction)
        record.drop(dropped)
        record.uplink_bytes = self._row_bytes * updates.n if updates else 0
        record.claims = claims(self._config, self._problem, x, updates, server_round)
        record.seconds["clients"] = perf_counter() - started
        return updates, record

    def again(self, record: RoundRecord) -> Updates | None:
        """Put a round together again of which some rows cannot be used."""
        assert self._resident is not None
        updates, dropped = self._resident.again()
        record.drop(dropped)
        record.uplink_bytes = self._row_bytes * updates.n if updates else 0
        return updates

    def settle(self) -> None:
        """Wait for what the last round's record still lacks: `Later`."""
        self._training.settle()

    def _count_downlink(self, record: RoundRecord, direction: Tensor | None) -> None:
        """Signs of the last step go down as bits, all else as floats."""
        n = len(self._training.parameters)

        def count(one_bit: bool) -> None:
            self._one_bit = one_bit
            record.downlink_bytes = record.nodes * (-(-n // 8) if one_bit else 4 * n)

        if direction is None:
            count(self._one_bit)
        elif self._training.ledger is None:
            count(is_signs(direction))
        else:  # of a step that was none, what was sent before still counts
            self._training.ledger.owe(
                (direction.abs() == 1).all(),
                lambda found: count(
                    bool(found) if self._training.direction is direction else self._one_bit
                ),
            )

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
        if not (valid := [worker for worker in asked if worker not in dropped]):
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
            found = [self._pool.submit(self._problem.gradient, x, w, server_round) for w in asked]
            return workers.looked_up(asked, lambda i: found[i].result())
        return self._problem.gradient

    def _of_one_matrix(self, matrix: Tensor, asked: Sequence[int], server_round: int) -> Collected:
        """Only what Byzantine workers send is made on the CPU, where attacks live.

        matrix: the gradients, float32 [n, N]; changed in place.
        """
        for client in self._clients:  # which another attack of the schedule may have left there
            client.memory = {k: without_tensors(kept) for k, kept in client.memory.items()}
        attack, _ = self._adversary.planned(server_round)
        x = self._training.parameters.cpu().numpy()
        if matrix.device.type == "cpu" and can_be_at_once(attack, self._everyone):
            given = self._adversary, matrix, asked, self._codec, x, server_round
            crafted = crafted_at_once(*given, self._memory_of)
        else:
            seen = matrix.cpu() if self._look_around else matrix  # they read all rows
            self._source = workers.looked_up(asked, lambda i: seen[i].cpu().numpy())
            byzantine = set(self._config.byzantine_ids).intersection(asked)
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
        return list((map if self._batched or self._look_around else self._pool.map)(work, clients))

    def state_dict(self) -> State:
        """What workers remember, and how the last step went."""
        last = self._training.direction
        one_bit = self._one_bit if last is None else is_signs(last)
        return {ONE_BIT: torch.tensor(one_bit)} | state_of_memories(self._clients)

    def load_state_dict(self, state: State) -> None:
        """Put back what `state_dict` returned; all else in it is not looked at."""
        self._one_bit = bool(state.get(ONE_BIT, False))
        load_memories(self._clients, state)
