"""The workers of a run as clients, honest or not, whoever hosts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from signfed.app.config.knowledge import built
from signfed.app.config.run_config import RunConfig
from signfed.app.task import Problem
from signfed.clients import (
    Adversary,
    ByzantineClient,
    CodedGradients,
    Encoder,
    GradientFn,
    HonestClient,
    Memory,
    Relabel,
)


def adversary(config: RunConfig, problem: Problem) -> Adversary:
    """The liars of the run; one object serves a process."""
    return Adversary(
        built(config.attack),
        config.byzantine_ids,
        asked=config.participation.workers,
        seed=config.workload.seed,
        n_classes=problem.num_classes,
        truth=problem.truth,
    )


def client(
    worker: int,
    config: RunConfig,
    gradient: GradientFn,
    poisoned: Callable[[Relabel], GradientFn],
    encoder: Encoder,
    memory: Memory,
    liars: Adversary,
) -> HonestClient:
    """The worker with this id, with what it remembers."""
    kept = {"seed": config.workload.seed, "momentum": config.worker_momentum, "memory": memory}
    if worker not in liars.ids:
        return HonestClient(worker, gradient, encoder, **kept)
    return ByzantineClient(worker, gradient, encoder, liars, poisoned, **kept)


def poisoned(
    problem: Problem, instructions: Mapping[str, Any], config: RunConfig
) -> Callable[[Relabel], GradientFn]:
    """Labels changed -> the gradients of workers that compute on these."""

    def lied_to(relabel: Relabel) -> GradientFn:
        gradient = partial(problem.gradient, relabel=relabel)
        return coded(gradient, instructions, config) if "allocation" in instructions else gradient

    return lied_to


class Remembered:
    """A gradient, computed once per worker for the same parameters in the same round.

    For liars that look at other workers' rows, some of which their node has computed already.
    """

    def __init__(self, gradient: GradientFn) -> None:
        self._gradient = gradient
        self._of: tuple[int, np.ndarray] | None = None
        self._found: dict[int, np.ndarray] = {}

    def __call__(self, parameters: np.ndarray, worker: int, server_round: int) -> np.ndarray:
        if (
            self._of is None
            or self._of[0] != server_round
            or not np.array_equal(self._of[1], parameters)
        ):
            self._of, self._found = (server_round, parameters.copy()), {}
        if worker not in self._found:
            self._found[worker] = self._gradient(parameters, worker, server_round)
        return self._found[worker]


def coded(
    gradient: GradientFn, instructions: Mapping[str, Any], config: RunConfig
) -> CodedGradients:
    """Election Coding's gradients of one round, from what the rule tells its clients."""
    n = config.workload.num_workers
    packed = np.frombuffer(instructions["allocation"], np.uint8)
    allocation = np.unpackbits(packed, count=n * n, bitorder="little").reshape(n, n)
    noise = float(instructions["noise"])
    return CodedGradients(gradient, allocation, noise=noise, seed=config.workload.seed)
