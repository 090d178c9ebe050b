"""The gradient of worker w in round t, and what the model is worth."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signfed.app.task.datasets import Dataset
from signfed.app.task.models.pure import draw_masks, dropouts, mask_shapes, put
from signfed.app.task.partitions import Shards
from signfed.strategies.core.seeds import generator
from signfed.strategies.ops.threads import one_thread

TEST_BATCH = 1000

Loss = Callable[[Tensor, Tensor], Tensor]  # (scores [B, C], labels [B]) -> their mean loss


Precision = Literal["float32", "tf32", "bfloat16"]


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """How products of matrices are rounded: as float32, or on tensor cores as tf32 or bfloat16.

    tf32 exists on a GPU only. What comes out is float32 in any case.
    """
    if name == "float32" and device.type == "cpu":
        yield  # nothing to set, many times a round
        return
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    cuda.allow_tf32 = cudnn.allow_tf32 = name == "tf32"  # cuDNN's own default is to allow it
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
            yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before


class Gradients:
    """Mini-batch gradients of the mean loss, pure in (parameters, worker, round).

    shards: int64 sample ids, by worker; batch_sizes: of each worker, or of all; a worker that holds
    fewer takes all that it has. A batch is drawn without replacement, anew each round; so are what
    augments it and the masks of the model's dropouts, from the same seed, worker and round.
    On a CPU the bits do not depend on who computes them, in what order, or on how many cores.
    Threads may call it side by side: each has its own copy of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        shards: Shards,
        *,
        batch_size: int | Sequence[int],
        seed: int,
        device: torch.device,
        precision: str = "float32",
        loss: Loss = cross_entropy,
    ) -> None:
        self.model = model.to(device)
        self.loss = loss
        self._of_thread = threading.local()
        self._x, self._y = data.train_x.to(device), data.train_y.to(device)
        self._to_input, self._augment = data.to_input, data.augment
        self._shards = shards
        asked = [batch_size] * len(shards) if isinstance(batch_size, int) else batch_size
        held = map(len, shards)
        self.batch_sizes = tuple(min(pair) for pair in zip(asked, held, strict=True))
        self._seed = seed
        self._device = device
        self._precision = precision
        self._rates = [module.p for module in dropouts(model)]
        self._mask_shapes = self._masked() if self._rates else []

    def __call__(
        self,
        parameters: np.ndarray,
        worker: int,
        server_round: int,
        relabel: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> np.ndarray:
        """float32 [N] at `parameters` float32 [N]; worker 0-based, round 1-based.

        relabel: makes other labels, int64 [batch_size], of the batch's.
        """
        with one_thread(), self.precision():
            flat = torch.tensor(parameters, device=self._device)
            model = self._own_model()
            nn.utils.vector_to_parameters(flat, model.parameters())
            x, y = self.samples(
                self.batch(worker, server_round), self.changes(worker, server_round)
            )
            if relabel is not None:
                y = torch.from_numpy(relabel(y.cpu().numpy())).to(y)
            if self._rates:
                put(model, [self._to_device(mask) for mask in self.masks(worker, server_round)])
            loss = self.loss(model(x), y)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            return nn.utils.parameters_to_vector(gradients).float().cpu().numpy()

    def everywhere(self, parameters: np.ndarray) -> np.ndarray:
        """The gradient of the mean loss over the whole training set: float32 [N].

        Of the samples as they are, with nothing dropped.
        """
        with one_thread(), self.precision():
            model = self._own_model()
            nn.utils.vector_to_parameters(
                torch.tensor(parameters, device=self._device), model.parameters()
            )
            put(model.eval(), None)
            total = torch.zeros(len(parameters), dtype=torch.float64, device=self._device)
            for start in range(0, len(self._y), TEST_BATCH):
                x, y = self.samples(np.arange(start, min(start + TEST_BATCH, len(self._y))))
                loss = self.loss(model(x), y) * len(y)
                total += nn.utils.parameters_to_vector(
                    torch.autograd.grad(loss, list(model.parameters()))
                )
            model.train()
            return (total / len(self._y)).float().cpu().numpy()

    def precision(self) -> AbstractContextManager[None]:
        """The precision in which these gradients are computed."""
        return precision(self._precision, self._device)

    def batch(self, worker: int, server_round: int) -> np.ndarray:
        """Ids of the worker's samples in the round: int64 [batch_size]."""
        shard = self._shards[worker]
        draw = generator(self._seed, "batch", worker, server_round)
        return shard[draw.choice(len(shard), self.batch_sizes[worker], replace=False)]

    def changes(self, worker: int, server_round: int) -> np.ndarray | None:
        """What augments the worker's batch, [batch_size, k]; None where nothing does."""
        if self._augment is None:
            return None
        draws = generator(self._seed, "augment", worker, server_round)
        return self._augment.draw(draws, self.batch_sizes[worker])

    def masks(self, worker: int, server_round: int) -> list[np.ndarray]:
        """One for each dropout of the model, float32 [batch_size, ...]."""
        if not self._rates:
            return []
        draws = generator(self._seed, "dropout", worker, server_round)
        return draw_masks(self._rates, self._mask_shapes, self.batch_sizes[worker], draws)

    def samples(
        self, chosen: np.ndarray, changes: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor]:
        """Network input and labels of these samples; ids int64 of any shape, changes [*ids, k]."""
        ids = torch.from_numpy(chosen).to(self._y.device).flatten()
        x, y = self._x.index_select(0, ids), self._y.index_select(0, ids)
        if changes is not None:
            x = self._augment(x, self._to_device(changes).flatten(0, -2))
        return self._to_input(x).unflatten(0, chosen.shape), y.view(chosen.shape)

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _masked(self) -> list[tuple[int, ...]]:
        with one_thread(), self.precision():
            return mask_shapes(self.model, self.samples(self._shards[0][:1])[0])

    def _own_model(self) -> nn.Module:
        if not hasattr(self._of_thread, "model"):
            self._of_thread.model = copy.deepcopy(self.model)
        return self._of_thread.model


@torch.no_grad()
def evaluate(
    model: nn.Module, parameters: Tensor, data: Dataset, loss: Loss = cross_entropy
) -> tuple[float, float]:
    """(accuracy in 0..1, mean loss) of float32 [N] parameters on the test set, nothing dropped.

    Model and test set lie on one device.
    """
    nn.utils.vector_to_parameters(parameters.to(data.test_x.device), model.eval().parameters())
    correct, total = 0, 0.0
    batches = zip(data.test_x.split(TEST_BATCH), data.test_y.split(TEST_BATCH), strict=True)
    for x, y in batches:
        scores = model(data.to_input(x))
        correct += int((scores.argmax(1) == y).sum())
        total += float(loss(scores, y)) * len(y)
    return correct / len(data.test_y), total / len(data.test_y)
