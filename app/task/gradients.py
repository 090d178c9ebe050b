"""The gradient of worker w in round t, and what the model is worth."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from app.task.data import Dataset
from strategies.seeds import generator

TEST_BATCH = 1000


@contextmanager
def one_thread() -> Iterator[None]:
    """One intra-op thread: more of them change the bits of a gradient, and its hash with them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


PRECISIONS = ("float32", "tf32", "bfloat16")


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """How products of matrices are rounded: as float32, or on tensor cores as tf32 or bfloat16.

    tf32 exists on a GPU only. What comes out is float32 in any case.
    """
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    cuda.allow_tf32 = cudnn.allow_tf32 = name == "tf32"  # cuDNN's own default is to allow it
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
            yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before


class Gradients:
    """Mini-batch gradients of the mean cross-entropy, pure in (parameters, worker, round).

    shards: int64 [M, per_worker], sample ids by worker; batch_size: at most per_worker, drawn
    without replacement within a batch, anew each round. On a CPU the bits do not depend on who
    computes them, in what order, or on how many cores. Threads may call it side by side: each has
    its own copy of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        shards: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        device: torch.device,
        precision: str = "float32",
    ) -> None:
        self.model = model.to(device)
        self._of_thread = threading.local()
        self._x, self._y = data.train_x.to(device), data.train_y.to(device)
        self._to_input = data.to_input
        self._shards = shards
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._precision = precision

    def __call__(
        self,
        parameters: np.ndarray,
        worker: int,
        round: int,
        relabel: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> np.ndarray:
        """float32 [N] at `parameters` float32 [N]; worker 0-based, round 1-based.

        relabel: makes other labels, int64 [batch_size], of the batch's.
        """
        with one_thread(), self.precision():
            flat = torch.tensor(parameters, device=self._device)
            model = self._own_model()
            nn.utils.vector_to_parameters(flat, model.parameters())
            x, y = self.samples(self.batch(worker, round))
            if relabel is not None:
                y = torch.from_numpy(relabel(y.cpu().numpy())).to(y)
            loss = cross_entropy(model(x), y)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            return nn.utils.parameters_to_vector(gradients).float().cpu().numpy()

    def everywhere(self, parameters: np.ndarray) -> np.ndarray:
        """The gradient of the mean loss over the whole training set: float32 [N]."""
        with one_thread(), self.precision():
            model = self._own_model()
            nn.utils.vector_to_parameters(
                torch.tensor(parameters, device=self._device), model.parameters()
            )
            total = torch.zeros(len(parameters), dtype=torch.float64, device=self._device)
            for start in range(0, len(self._y), TEST_BATCH):
                x, y = self.samples(np.arange(start, min(start + TEST_BATCH, len(self._y))))
                loss = cross_entropy(model(x), y, reduction="sum")
                total += nn.utils.parameters_to_vector(
                    torch.autograd.grad(loss, list(model.parameters()))
                )
            return (total / len(self._y)).float().cpu().numpy()

    def precision(self) -> AbstractContextManager[None]:
        """The precision in which these gradients are computed."""
        return precision(self._precision, self._device)

    def batch(self, worker: int, round: int) -> np.ndarray:
        """Ids of the worker's samples in the round: int64 [batch_size]."""
        shard = self._shards[worker]
        draw = generator(self._seed, "batch", worker, round)
        return shard[draw.choice(len(shard), self._batch_size, replace=False)]

    def samples(self, chosen: np.ndarray) -> tuple[Tensor, Tensor]:
        """Network input and labels of these samples; ids int64 of any shape."""
        ids = torch.from_numpy(chosen).to(self._y.device)
        inputs = self._to_input(self._x[ids.flatten()])
        return inputs.unflatten(0, ids.shape), self._y[ids]

    def _own_model(self) -> nn.Module:
        if not hasattr(self._of_thread, "model"):
            self._of_thread.model = copy.deepcopy(self.model)
        return self._of_thread.model


@torch.no_grad()
def evaluate(
    model: nn.Module, parameters: Tensor, data: Dataset, device: torch.device
) -> tuple[float, float]:
    """(accuracy in 0..1, mean cross-entropy) of float32 [N] parameters on the test set."""
    model = model.to(device)
    nn.utils.vector_to_parameters(parameters.to(device), model.parameters())
    correct, loss = 0, 0.0
    batches = zip(data.test_x.split(TEST_BATCH), data.test_y.split(TEST_BATCH), strict=True)
    for x, y in batches:
        logits, y = model(data.to_input(x.to(device))), y.to(device)
        correct += int((logits.argmax(1) == y).sum())
        loss += float(cross_entropy(logits, y, reduction="sum"))
    return correct / len(data.test_y), loss / len(data.test_y)
