"""Noisy gradients of a quadratic: a problem without data."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from signfed.app.task.digest import fingerprint
from signfed.app.task.local_steps import keys, local_change
from signfed.app.task.problem import Asked
from signfed.app.task.workload import Workload
from signfed.attacks.core.data import Trigger
from signfed.clients import Poison
from signfed.strategies.core.seeds import generator


class Quadratic:
    """f(x) = ||x||^2 / 2 in 1,000 dimensions, with gradients x + N(0, I) / sqrt(batch size).

    Starts at x ~ N(0, I). test_loss is f(x); there is no accuracy. The server's own gradient is one
    of as many samples as it keeps, drawn anew in each round.

    Parameters
    ----------
    workload : Workload
        Seed, number of workers and batch sizes count; a batch may grow: t samples in round t.

    References
    ----------
    Mengoli et al. 2025, Fig. 1 and Table 2.

    Notes
    -----
    Deviation: none; the paper does not state the starting point.
    """

    dimensions = 1000

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self.device = torch.device("cpu")
        self.num_classes: int | None = None
        self.sides: tuple[int, int] | None = None
        self.tested = True
        self.way = {"way": "loop", "because": "no network"}

    @property
    def edges(self) -> tuple[int, ...]:
        return (0, self.dimensions)

    def initial(self) -> Tensor:
        draws = generator(self._workload.seed, "initial")
        return torch.from_numpy(draws.standard_normal(self.dimensions, dtype=np.float32))

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return parameters.copy()

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, poison: Poison | None = None
    ) -> np.ndarray:
        workload = self._workload
        batch = workload.batch_sizes[worker] if workload.batch_sizes else workload.batch_size
        if workload.batch_grows:
            batch = server_round

        def step(start: np.ndarray, number: int) -> np.ndarray:
            return self._noisy(start, batch, "batch", *keys(worker, server_round, number))

        return local_change(step, parameters, workload.local)

    def reference(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        return self._noisy(parameters, self._workload.server_samples, "server", server_round)

    def batched(self, asked: Asked) -> None:
        return None

    def evaluate(self, parameters: Tensor, trigger: Trigger | None = None) -> dict[str, float]:
        return {"test_loss": float(parameters.double().square().sum() / 2)}

    def own_accuracy(self, parameters: Tensor, worker: int) -> float:
        return math.nan

    def require_workers(self) -> None: ...

    def memory(self, workers: int) -> tuple[int, int]:
        return 0, 0

    def windows(self, workers: int) -> int:
        return 0

    def digest(self) -> dict[str, str]:
        return {"model": fingerprint([("x", self.initial())])}

    def _noisy(self, parameters: np.ndarray, samples: int, purpose: str, *keys: int) -> np.ndarray:
        draws = generator(self._workload.seed, purpose, *keys)
        noise = draws.standard_normal(self.dimensions, dtype=np.float32)
        return parameters + noise / np.float32(np.sqrt(samples))
