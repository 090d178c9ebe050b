"""What a federation minimises: where it starts, a worker's gradient, what a model is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from app.task.batched import LARGE, BatchedGradients
from app.task.data import Dataset
from app.task.gradients import Gradients, evaluate
from app.task.models import build, flatten
from app.task.partition import stratified
from clients import Relabel
from strategies.seeds import generator

Asked = Callable[[int], Sequence[int]]  # round -> the workers that it asks


@dataclass(frozen=True)
class Workload:
    """Everything that a gradient depends on besides the parameters. Hashable."""

    task: str
    model: str
    data_dir: str
    download: bool
    num_workers: int
    batch_size: int
    seed: int
    device: str
    precision: str = "float32"


class Problem(Protocol):
    """Pure in its arguments; parameters are one float32 vector [N]."""

    device: torch.device

    def initial(self) -> Tensor:
        """The parameters of round 1, float32 [N]."""

    def gradient(
        self, parameters: np.ndarray, worker: int, round: int, relabel: Relabel | None = None
    ) -> np.ndarray:
        """What the worker computes in the round, float32 [N]; on changed labels if asked."""

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        """The gradient of what is minimised, without a batch's noise: float32 [N]."""

    def batched(self, asked: Asked) -> BatchedGradients | None:
        """Many workers' gradients at once with the same bits, where that is the faster way."""

    def evaluate(self, parameters: Tensor) -> dict[str, float]:
        """test_accuracy (0..1) where there is such a thing, and test_loss."""


class Classification:
    """Mean cross-entropy of a network on disjoint, equal, stratified shards of a data set."""

    def __init__(self, workload: Workload, data: Dataset) -> None:
        self._workload = workload
        self._data = data
        self.device = torch.device(_device(workload.device))

    def initial(self) -> Tensor:
        return flatten(build(self._workload.model, self._workload.seed))

    def gradient(
        self, parameters: np.ndarray, worker: int, round: int, relabel: Relabel | None = None
    ) -> np.ndarray:
        return self._gradients(parameters, worker, round, relabel)

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return self._gradients.everywhere(parameters)

    def batched(self, asked: Asked) -> BatchedGradients | None:
        initial = self.initial().numpy()
        on_cpu = self.device.type == "cpu"
        if on_cpu and len(initial) >= LARGE:
            return None
        batched = BatchedGradients(self._gradients)
        agrees = not on_cpu or all(batched.agrees(initial, asked(t), t) for t in (1, 2))
        return batched if agrees else None

    def evaluate(self, parameters: Tensor) -> dict[str, float]:
        model = build(self._workload.model, self._workload.seed)
        accuracy, loss = evaluate(model, parameters, self._data, self.device)
        return {"test_accuracy": accuracy, "test_loss": loss}

    @cached_property  # a server never needs it
    def _gradients(self) -> Gradients:
        workload = self._workload
        labels = self._data.train_y.numpy()
        return Gradients(
            build(workload.model, workload.seed),
            self._data,
            stratified(labels, workload.num_workers, workload.seed),
            batch_size=workload.batch_size,
            seed=workload.seed,
            device=self.device,
            precision=workload.precision,
        )


class Quadratic:
    """f(x) = ||x||^2 / 2 in 1,000 dimensions with noisy gradients: x + N(0, I) / sqrt(batch size).

    Starts at x ~ N(0, I). test_loss is f(x); there is no accuracy.
    Reference: Mengoli et al. 2025, Fig. 1 and Table 2; x_1 is unstated there.
    """

    dimensions = 1000
    device = torch.device("cpu")

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def initial(self) -> Tensor:
        draws = generator(self._workload.seed, "initial")
        return torch.from_numpy(draws.standard_normal(self.dimensions, dtype=np.float32))

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return parameters.copy()

    def gradient(
        self, parameters: np.ndarray, worker: int, round: int, relabel: Relabel | None = None
    ) -> np.ndarray:
        draws = generator(self._workload.seed, "batch", worker, round)
        noise = draws.standard_normal(self.dimensions, dtype=np.float32)
        return parameters + noise / np.float32(np.sqrt(self._workload.batch_size))

    def batched(self, asked: Asked) -> None:
        return None

    def evaluate(self, parameters: Tensor) -> dict[str, float]:
        return {"test_loss": float(parameters.double().square().sum() / 2)}


def _device(asked: str) -> str:
    """auto takes a GPU where there is one. Raises ValueError for a GPU that is not there."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but no GPU is visible here")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
