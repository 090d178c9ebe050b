"""The workers of a run as clients, honest or Byzantine, whoever hosts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from signfed.app.config.knowledge import built
from signfed.app.config.run_config import RunConfig
from signfed.app.task import Problem
from signfed.app.task.many import ManyGradients
from signfed.attacks import Attack
from signfed.clients import (
    Adversary,
    ByzantineClient,
    CodedGradients,
    Encoder,
    GradientFn,
    HonestClient,
    Memory,
    Poison,
)
from signfed.strategies.core.allocation import from_bytes


def adversary(config: RunConfig, problem: Problem, attack: Attack | None = None) -> Adversary:
    """Make the Byzantine workers of the run together; one object serves a process.

    Parameters
    ----------
    config : RunConfig
        A checked run config.
    problem : Problem
        What they compute on.
    attack : Attack, optional
        What they do; by default what the config names.
    """
    return Adversary(
        attack or built(config.attack),
        config.byzantine_ids,
        asked=config.participation.workers,
        seed=config.workload.seed,
        n_classes=problem.num_classes,
        truth=problem.truth,
        lr_at=config.step.lr_at,
    )


def client(
    worker: int,
    config: RunConfig,
    gradient: GradientFn,
    poisoned: Callable[[Poison], GradientFn],
    encoder: Encoder,
    memory: Memory,
    adversary: Adversary,
) -> HonestClient:
    """Make the worker with this id, with what it remembers.

    Parameters
    ----------
    worker : int
        Its id.
    config : RunConfig
        A checked run config.
    gradient : GradientFn
        The gradients of the round.
    poisoned : callable
        Changed labels -> the gradients on them, for attacks on the data.
    encoder : Encoder
        From a vector to a row.
    memory : Memory
        What the worker kept.
    adversary : Adversary
        The Byzantine workers of the run.
    """
    seed, momentum = config.workload.seed, config.worker_momentum
    if worker in adversary.ids:
        return ByzantineClient(
            worker, gradient, encoder, adversary, poisoned,
            seed=seed, momentum=momentum, memory=memory,
        )  # fmt: skip
    return HonestClient(worker, gradient, encoder, seed=seed, momentum=momentum, memory=memory)


def poisoned(
    problem: Problem, instructions: Mapping[str, Any], config: RunConfig
) -> Callable[[Poison], GradientFn]:
    """Make the function from changed batches to the gradients of workers that compute on them.

    Parameters
    ----------
    problem : Problem
        What they compute on.
    instructions : mapping
        What the rule tells its clients; with an "allocation" the gradients are coded.
    config : RunConfig
        A checked run config.
    """

    def on_batches(poison: Poison) -> GradientFn:
        gradient = partial(problem.gradient, poison=poison)
        return coded(gradient, instructions, config) if "allocation" in instructions else gradient

    return on_batches


class Remembered:
    """A gradient function that computes a worker's gradient once for a model and a round.

    For Byzantine workers that look at other workers' rows, some of which their node has computed.

    Parameters
    ----------
    gradient : GradientFn
        Pure; called once for each worker.
    """

    def __init__(self, gradient: GradientFn) -> None:
        self._gradient = gradient
        self._of: tuple[int, np.ndarray] | None = None
        self._found: dict[int, np.ndarray] = {}

    def __call__(self, parameters: np.ndarray, worker: int, server_round: int) -> np.ndarray:
        """Return the worker's gradient, float32 [N]; computed in the first call of a round.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        worker : int
            Its id.
        server_round : int
            Number of the round.
        """
        if (
            self._of is None
            or self._of[0] != server_round
            or not np.array_equal(self._of[1], parameters)
        ):
            self._of, self._found = (server_round, parameters.copy()), {}
        if worker not in self._found:
            self._found[worker] = self._gradient(parameters, worker, server_round)
        return self._found[worker]


class AtOnce:
    """A gradient function that computes all workers of a round in one call, on a GPU.

    Parameters
    ----------
    many : ManyGradients
        Computes them.
    whose : callable
        server_round -> the workers that this process will be asked about.
    """

    def __init__(self, many: ManyGradients, whose: Callable[[int], Sequence[int]]) -> None:
        self._many, self._whose = many, whose
        self._remembered = Remembered(self._all)

    def __call__(self, parameters: np.ndarray, worker: int, server_round: int) -> np.ndarray:
        """Return the worker's gradient, float32 [N]; all are computed in the first call of a round.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        worker : int
            One of those that were said.
        server_round : int
            Number of the round.
        """
        matrix = self._remembered(parameters, 0, server_round)
        return matrix[list(self._whose(server_round)).index(worker)]

    def _all(self, parameters: np.ndarray, _: int, server_round: int) -> np.ndarray:
        return self._many(parameters, self._whose(server_round), server_round).cpu().numpy()


def coded(
    gradient: GradientFn, instructions: Mapping[str, Any], config: RunConfig
) -> CodedGradients:
    """Make Election Coding's gradients of one round, from what the rule tells its clients.

    Parameters
    ----------
    gradient : GradientFn
        Of a partition.
    instructions : mapping
        With "allocation", the bits of G, "noise" and "tie".
    config : RunConfig
        A checked run config.
    """
    n = config.workload.num_workers
    allocation = from_bytes(instructions["allocation"], n)
    noise, tie = float(instructions["noise"]), str(instructions["tie"])
    return CodedGradients(gradient, allocation, noise=noise, seed=config.workload.seed, tie=tie)


def looked_up(asked: Sequence[int], row: Callable[[int], np.ndarray]) -> GradientFn:
    """Make a gradient function that takes a worker's row of what was computed at once.

    Parameters
    ----------
    asked : sequence of int
        The workers of the rows.
    row : callable
        Place among them -> its row.
    """
    place = {worker: i for i, worker in enumerate(asked)}
    return lambda parameters, worker, server_round: row(place[worker])
