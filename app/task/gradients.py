"""The gradient of worker w in round t."""

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
from signfed.app.task.draws import Draws
from signfed.app.task.evaluation import Loss, measured, mixed, pieces
from signfed.app.task.local_steps import ONE_STEP, LocalSteps, keys, local_change
from signfed.app.task.models.parameters import assign, joined, trainable
from signfed.app.task.models.pure import dropouts, mask_shapes, put
from signfed.app.task.partitions import Shards
from signfed.app.task.poison import poisoned
from signfed.app.task.precision import precision
from signfed.clients import Poison
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.ops.upload import uploaded


class Gradients(Draws):
    """Mini-batch gradients of the mean loss, pure in (parameters, worker, round).

    A batch is drawn without replacement, anew each round and step; so are what augments it and the
    masks of the model's dropouts, from the same seed, worker, round and step. On a CPU the bits do
    not depend on who computes them, in what order, or on how many cores. Threads may call it side
    by side: each has its own copy of the model.

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
    local : LocalSteps
        With more than one step, what they change together takes the gradient's place.
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
        local: LocalSteps = ONE_STEP,
    ) -> None:
        rates = [module.p for module in dropouts(model)]
        super().__init__(data, shards, batch_size, seed, rates)
        self.model = model.to(device)
        self.loss, self.local = loss, local
        self._of_thread = threading.local()
        self._x, self._y = data.train_x.to(device), data.train_y.to(device)
        self.to_input, self._sides = data.to_input, data.sides
        self.device = device
        self.precision_name = precision
        self._mask_shapes = self._masked() if rates else []

    def __call__(
        self,
        parameters: np.ndarray,
        worker: int,
        server_round: int,
        poison: Poison | None = None,
    ) -> np.ndarray:
        """Compute the worker's gradient in the round, or what its local steps change.

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
        boost: Tensor | None = None

        def step(start: np.ndarray, number: int) -> np.ndarray:
            nonlocal boost
            at = keys(worker, server_round, number)
            model = self._own_model()
            assign(model, torch.tensor(start, device=self.device))
            x, y = self._stored(self.batch(*at), self.changes(*at))
            if poison is not None:
                x, y, boost = poisoned(x, y, self._sides, poison)
            x = self.to_input(x)
            if self._rates:
                put(model, [self._to_device(mask) for mask in self.masks(*at)])
            return self._slope(model, x, y, *at).float().cpu().numpy()

        with one_thread(), self.precision():
            change = local_change(step, parameters, self.local)
            return change if boost is None else boost.cpu().numpy() * change

    def everywhere(self, parameters: np.ndarray) -> np.ndarray:
        """Return the gradient of the mean loss over the whole training set, float32 [N].

        Of the samples as they are, with nothing augmented and nothing dropped.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
        """
        return self._over(parameters, np.arange(len(self._y)))

    def over(self, parameters: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return the same over some samples.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
        chosen : ndarray, int64 [k], k >= 1
            Their ids.
        """
        return self._over(parameters, chosen[mixed(len(chosen))])

    def _over(self, parameters: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        with one_thread(), self.precision():
            model = self._own_model()
            assign(model, torch.tensor(parameters, device=self.device))
            put(model.eval(), None)
            total = torch.zeros(len(parameters), dtype=torch.float64, device=self.device)
            for piece in pieces(len(chosen)):
                x, y = self.samples(chosen[piece])
                total += self._slope(model, x, y, piece.start) * len(y)
            model.train()
            return (total / len(chosen)).float().cpu().numpy()

    def _slope(self, model: nn.Module, x: Tensor, y: Tensor, *keys: int) -> Tensor:
        """The gradient of the batch's mean loss, [N]; zero for a parameter without a use."""
        loss = self.mean_loss(model(x), y, *keys)
        wanted = trainable(model)
        slopes = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        return joined(slopes)

    def mean_loss(self, scores: Tensor, labels: Tensor, *keys: int) -> Tensor:
        """Return the mean loss of a batch, a tensor of shape [].

        Parameters
        ----------
        scores : Tensor [B, C]
        labels : Tensor, int64 [B]
        *keys : int
            Worker and round, for what a user's loss draws.
        """
        return measured(self.loss, scores, labels, self._seed, *keys)

    def precision(self) -> AbstractContextManager[None]:
        """Return a context of the precision in which these gradients are computed."""
        return precision(self.precision_name, self.device)

    def samples(
        self, chosen: np.ndarray, changes: np.ndarray | None = None, *, each_input: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return network input and labels of samples.

        Parameters
        ----------
        chosen : ndarray, int64 of any shape
            Their ids.
        changes : ndarray [*ids, k], optional
            What augments them.
        each_input : bool
            Whether network input is made of one row of `chosen` at a time.
        """
        x, y = self._stored(chosen, changes)
        if each_input:
            x = torch.stack([self.to_input(row) for row in x.unflatten(0, chosen.shape)])
        else:
            x = self.to_input(x).unflatten(0, chosen.shape)
        return x, y.view(chosen.shape)

    def _stored(self, chosen: np.ndarray, changes: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """Samples as stored, augmented, and their labels; in one row."""
        ids = self._to_device(chosen).flatten()
        x, y = self._x.index_select(0, ids), self._y.index_select(0, ids)
        if changes is not None and self._augment is not None:
            x = self._augment(x, self._to_device(changes).flatten(0, -2))
        return x, y

    def _to_device(self, array: np.ndarray) -> Tensor:
        return uploaded(array, self.device)

    def _masked(self) -> list[tuple[int, ...]]:
        with one_thread(), self.precision():
            two = np.resize(self._shards[0], 2)  # batch norm takes no batch of one
            return mask_shapes(self.model, self.samples(two)[0])

    def _own_model(self) -> nn.Module:
        own = self._of_thread
        if getattr(own, "source", None) is not self.model:
            own.source, own.model = self.model, copy.deepcopy(self.model)
        return own.model
