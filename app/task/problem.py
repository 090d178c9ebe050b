"""What a federation minimises: where it starts, a worker's gradient, what a model is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signfed.app.errors import ConfigError
from signfed.app.task.batched import LARGE, BatchedGradients
from signfed.app.task.datasets import Dataset
from signfed.app.task.fit import check_fit
from signfed.app.task.gradients import Gradients, Loss, evaluate
from signfed.app.task.models import Spec, build, flatten
from signfed.app.task.own import found
from signfed.app.task.partitions import PARTITIONS, Shards
from signfed.clients import Relabel
from signfed.strategies.core.seeds import generator

Asked = Callable[[int], Sequence[int]]  # round -> the workers that it asks


@dataclass(frozen=True)
class Workload:
    """Everything that a gradient depends on besides the parameters. Hashable.

    batch_sizes: of each worker, where they differ; else empty.
    """

    task: str
    model: str
    data_dir: str
    download: bool
    num_workers: int
    batch_size: int
    seed: int
    device: str
    precision: str = "float32"
    partition: str = "stratified"
    partition_options: tuple[tuple[str, Any], ...] = ()
    batch_sizes: tuple[int, ...] = ()
    loss: str = "cross-entropy"

    def shards(self, labels: np.ndarray) -> Shards:
        """Who holds which samples. Raises ConfigError where the partition or a batch cannot be."""
        make = PARTITIONS[self.partition]
        try:
            shards = make(labels, self.num_workers, self.seed, **dict(self.partition_options))
        except ValueError as error:
            raise ConfigError(f"partition={self.partition!r}: {error}") from error
        held = [len(shard) for shard in shards]
        if not min(held):
            raise ConfigError(
                f"partition={self.partition!r}: {held.count(0)} of {self.num_workers} workers hold "
                f"no sample of {self.task}; expected fewer workers"
            )
        if self.batch_size > max(held) and not self.batch_sizes:
            raise ConfigError(
                f"batch-size: the largest shard of {self.task} holds {max(held)} samples; expected "
                f"at most that; got {self.batch_size}"
            )
        return shards


class Problem(Protocol):
    """Pure in its arguments; parameters are one float32 vector [N]."""

    device: torch.device
    num_classes: int | None

    def initial(self) -> Tensor:
        """The parameters of round 1, float32 [N]."""

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, relabel: Relabel | None = None
    ) -> np.ndarray:
        """What the worker computes in the round, float32 [N]; on changed labels if asked."""

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        """The gradient of what is minimised, without a batch's noise: float32 [N]."""

    def batched(self, asked: Asked) -> BatchedGradients | None:
        """Many workers' gradients at once with the same bits, where that is the faster way."""

    def evaluate(self, parameters: Tensor) -> dict[str, float]:
        """test_accuracy (0..1) where there is such a thing, and test_loss."""


class Classification:
    """Mean loss of a network on a partition of a data set.

    Raises ConfigError when data, model, loss and partition do not fit one another.
    """

    def __init__(self, workload: Workload, data: Dataset, num_classes: int | None = None) -> None:
        self._workload = workload
        self._data = data
        self.device = torch.device(_device(workload.device))
        self.labels = data.train_y.numpy()
        self.num_classes = num_classes or int(max(data.train_y.max(), data.test_y.max())) + 1
        self.shards = workload.shards(self.labels)
        self._spec = Spec(
            tuple(data.to_input(data.train_x[:1]).shape[1:]), self.num_classes, data.vocabulary
        )
        own = found("loss", workload.loss) if ":" in workload.loss else cross_entropy
        self._loss: Loss = own
        names = {"task": workload.task, "model": workload.model, "loss": workload.loss}
        if any(":" in name for name in names.values()):  # the others are known to fit
            check_fit(names, self._spec, self._built, data, self._loss, self.gradient)

    def initial(self) -> Tensor:
        return flatten(self._built())

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, relabel: Relabel | None = None
    ) -> np.ndarray:
        return self._gradients(parameters, worker, server_round, relabel)

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return self._gradients.everywhere(parameters)

    def batched(self, asked: Asked) -> BatchedGradients | None:
        initial = self.initial().numpy()
        on_cpu = self.device.type == "cpu"
        if len(set(self._gradients.batch_sizes)) > 1 or (on_cpu and len(initial) >= LARGE):
            return None
        batched = BatchedGradients(self._gradients)
        if not batched.works(initial, asked(1), 1):
            return None
        agrees = not on_cpu or all(batched.agrees(initial, asked(t), t) for t in (1, 2))
        return batched if agrees else None

    def evaluate(self, parameters: Tensor) -> dict[str, float]:
        accuracy, loss = evaluate(self._evaluated, parameters, self._tested, self._loss)
        return {"test_accuracy": accuracy, "test_loss": loss}

    def batch_sizes(self) -> tuple[int, ...]:
        """Of each worker, in samples a round."""
        return self._gradients.batch_sizes

    def _built(self) -> nn.Module:
        return build(self._workload.model, self._spec, self._workload.seed)

    @cached_property
    def _evaluated(self) -> nn.Module:
        return self._built().to(self.device)

    @cached_property
    def _tested(self) -> Dataset:
        """The test set lies where the model is."""
        x, y = (part.to(self.device) for part in (self._data.test_x, self._data.test_y))
        return replace(self._data, test_x=x, test_y=y)

    @cached_property  # a server never needs it
    def _gradients(self) -> Gradients:
        workload = self._workload
        return Gradients(
            self._built(),
            self._data,
            self.shards,
            batch_size=workload.batch_sizes or workload.batch_size,
            seed=workload.seed,
            device=self.device,
            precision=workload.precision,
            loss=self._loss,
        )


class Quadratic:
    """f(x) = ||x||^2 / 2 in 1,000 dimensions with noisy gradients: x + N(0, I) / sqrt(batch size).

    Starts at x ~ N(0, I). test_loss is f(x); there is no accuracy.
    Reference: Mengoli et al. 2025, Fig. 1 and Table 2; x_1 is unstated there.
    """

    dimensions = 1000
    num_classes = None
    device = torch.device("cpu")

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def initial(self) -> Tensor:
        draws = generator(self._workload.seed, "initial")
        return torch.from_numpy(draws.standard_normal(self.dimensions, dtype=np.float32))

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return parameters.copy()

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, relabel: Relabel | None = None
    ) -> np.ndarray:
        draws = generator(self._workload.seed, "batch", worker, server_round)
        noise = draws.standard_normal(self.dimensions, dtype=np.float32)
        sizes = self._workload.batch_sizes
        batch = sizes[worker] if sizes else self._workload.batch_size
        return parameters + noise / np.float32(np.sqrt(batch))

    def batched(self, asked: Asked) -> None:
        return None

    def evaluate(self, parameters: Tensor) -> dict[str, float]:
        return {"test_loss": float(parameters.double().square().sum() / 2)}


def _device(asked: str) -> str:
    """auto takes a GPU where there is one. Raises ValueError for a GPU that is not there."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but no GPU is visible here")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
