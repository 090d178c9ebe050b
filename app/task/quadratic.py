"""Noisy gradients of a quadratic: a problem without data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from signfed.app.task.digest import fingerprint
from signfed.app.task.problem import Asked
from signfed.app.task.workload import Workload
from signfed.attacks.core.data import Trigger
from signfed.clients import Poison
from signfed.strategies.core.seeds import generator


class Quadratic:
    """f(x) = ||x||^2 / 2 in 1,000 dimensions, with gradients x + N(0, I) / sqrt(batch size).

    Starts at x ~ N(0, I). test_loss is f(x); there is no accuracy.

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

    def initial(self) -> Tensor:
        draws = generator(self._workload.seed, "initial")
        return torch.from_numpy(draws.standard_normal(self.dimensions, dtype=np.float32))

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return parameters.copy()

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, poison: Poison | None = None
    ) -> np.ndarray:
        draws = generator(self._workload.seed, "batch", worker, server_round)
        noise = draws.standard_normal(self.dimensions, dtype=np.float32)
        sizes = self._workload.batch_sizes
        batch = sizes[worker] if sizes else self._workload.batch_size
        return parameters + noise / np.float32(np.sqrt(batch))

    def batched(self, asked: Asked) -> None:
        return None

    def evaluate(self, parameters: Tensor, trigger: Trigger | None = None) -> dict[str, float]:
        return {"test_loss": float(parameters.double().square().sum() / 2)}

    def digest(self) -> dict[str, str]:
        return {"model": fingerprint([("x", self.initial())])}
