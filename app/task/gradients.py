"""The gradient of worker w in round t, and what the model is worth."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.evaluation import Loss, measured, pieces
from signfed.app.task.models.parameters import assign, trainable
from signfed.app.task.models.pure import draw_masks, dropouts, mask_shapes, put
from signfed.app.task.partitions import Shards
from signfed.app.task.poison import poisoned
from signfed.app.task.precision import precision
from signfed.clients import Poison
from signfed.strategies.core.seeds import generator
from signfed.strategies.ops.threads import one_thread


class Gradients:
    """Mini-batch gradients of the mean loss, pure in (parameters, worker, round).

    A batch is drawn without replacement, anew each round; so are what augments it and the masks of
    the model's dropouts, from the same seed, worker and round. On a CPU the bits do not depend on
    who computes them, in what order, or on how many cores. Threads may call it side by side: each
    has its own copy of the model.

    Parameters
    ----------
    model : nn.Module
        In training mode; moved to the device. Its trainable parameters are the N coordinates.
    data : Dataset
        Of which a call gets copies: a user's functions may write into what they are given.
    shards : sequence of ndarray
        int64 sample ids, by worker.
    batch_size : int or sequence of int
        Of all, or of each worker; a worker that holds fewer takes all that it has.
    seed : int
    device : torch.device
    precision : str
        "float32", "tf32" or "bfloat16".
    loss : callable
        (scores [B, C], labels [B]) -> the batch's mean.
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
        self._to_input, self._augment, self._sides = data.to_input, data.augment, data.sides
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
        poison: Poison | None = None,
    ) -> np.ndarray:
        """Compute the worker's gradient in the round.

        Parameters
        ----------
        parameters : ndarray
            float32 [N].
        worker : int
            From 0.
        server_round : int
            From 1.
        poison : Poison, optional
            Makes another batch of the worker's.

        Returns
        -------
        ndarray
            float32 [N].
        """
        with one_thread(), self.precision():
            flat = torch.tensor(parameters, device=self._device)
            model = self._own_model()
            assign(model, flat)
            x, y = self._stored(
                self.batch(worker, server_round), self.changes(worker, server_round)
            )
            boost = None
            if poison is not None:
                x, y, boost = poisoned(x, y, self._sides, poison)
            x = self._to_input(x)
            if self._rates:
                put(model, [self._to_device(mask) for mask in self.masks(worker, server_round)])
            gradient = self._slope(model, x, y, worker, server_round)
            gradient = gradient.float() if boost is None else boost * gradient.float()
            return gradient.cpu().numpy()

    def everywhere(self, parameters: np.ndarray) -> np.ndarray:
        """Return the gradient of the mean loss over the whole training set, float32 [N].

        Of the samples as they are, with nothing augmented and nothing dropped.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
        """
        return self.over(parameters, np.arange(len(self._y)))

    def over(self, parameters: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return the same over some samples.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
        chosen : ndarray, int64 [k], k >= 1
            Their ids.
        """
        with one_thread(), self.precision():
            model = self._own_model()
            assign(model, torch.tensor(parameters, device=self._device))
            put(model.eval(), None)
            total = torch.zeros(len(parameters), dtype=torch.float64, device=self._device)
            for piece in pieces(len(chosen)):
                x, y = self.samples(chosen[piece])
                total += self._slope(model, x, y, piece.start) * len(y)
            model.train()
            return (total / len(chosen)).float().cpu().numpy()

    def _slope(self, model: nn.Module, x: Tensor, y: Tensor, *keys: int) -> Tensor:
        """The gradient of the batch's mean loss, [N]; zero for a parameter without a use."""
        loss = measured(self.loss, model(x), y, self._seed, *keys)
        wanted = trainable(model)
        slopes = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        return nn.utils.parameters_to_vector(slopes)

    def precision(self) -> AbstractContextManager[None]:
        """Return a context of the precision in which these gradients are computed."""
        return precision(self._precision, self._device)

    def batch(self, worker: int, server_round: int) -> np.ndarray:
        """Return the ids of the worker's samples in the round, int64 [batch_size].

        Parameters
        ----------
        worker, server_round : int
            Worker from 0, round from 1.
        """
        shard = self._shards[worker]
        draw = generator(self._seed, "batch", worker, server_round)
        return shard[draw.choice(len(shard), self.batch_sizes[worker], replace=False)]

    def changes(self, worker: int, server_round: int) -> np.ndarray | None:
        """Return what augments the worker's batch, [batch_size, k]; None where nothing does.

        Parameters
        ----------
        worker, server_round : int
            Worker from 0, round from 1.
        """
        if self._augment is None:
            return None
        draws = generator(self._seed, "augment", worker, server_round)
        return self._augment.draw(draws, self.batch_sizes[worker])

    def masks(self, worker: int, server_round: int) -> list[np.ndarray]:
        """Return one for each dropout of the model, float32 [batch_size, ...].

        Parameters
        ----------
        worker, server_round : int
            Worker from 0, round from 1.
        """
        if not self._rates:
            return []
        draws = generator(self._seed, "dropout", worker, server_round)
        return draw_masks(self._rates, self._mask_shapes, self.batch_sizes[worker], draws)

    def samples(
        self, chosen: np.ndarray, changes: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return network input and labels of samples.

        Parameters
        ----------
        chosen : ndarray, int64 of any shape
            Their ids.
        changes : ndarray [*ids, k], optional
            What augments them.
        """
        x, y = self._stored(chosen, changes)
        return self._to_input(x).unflatten(0, chosen.shape), y.view(chosen.shape)

    def _stored(self, chosen: np.ndarray, changes: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """Samples as stored, augmented, and their labels; in one row."""
        ids = torch.from_numpy(chosen).to(self._y.device).flatten()
        x, y = self._x.index_select(0, ids), self._y.index_select(0, ids)
        if changes is not None and self._augment is not None:
            x = self._augment(x, self._to_device(changes).flatten(0, -2))
        return x, y

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _masked(self) -> list[tuple[int, ...]]:
        with one_thread(), self.precision():
            two = np.resize(self._shards[0], 2)  # batch norm takes no batch of one
            return mask_shapes(self.model, self.samples(two)[0])

    def _own_model(self) -> nn.Module:
        if not hasattr(self._of_thread, "model"):
            self._of_thread.model = copy.deepcopy(self.model)
        return self._of_thread.model
