"""All workers' gradients in one call, the worker axis vectorised."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from app.task.gradients import Gradients, one_thread
from app.task.models.pure import put

LARGE = 100_000  # parameters from which a CPU loses by it: the work outweighs the calls


class BatchedGradients:
    """What `gradients` gives for each of num_workers workers, as one matrix.

    torch.func.vmap over the workers: one call of each operation in place of one per worker. Pays
    where operations are small, or on a GPU. The operations are recorded once and then run as they
    are, without what it takes to derive them. Same arithmetic; `agrees` tells whether also the same
    bits.
    """

    def __init__(self, gradients: Gradients, num_workers: int) -> None:
        self._gradients = gradients
        self._num_workers = num_workers
        model = copy.deepcopy(gradients.model)
        named = dict(model.named_parameters())
        names, shapes = list(named), [parameter.shape for parameter in named.values()]
        sizes = [parameter.numel() for parameter in named.values()]

        def loss(
            parameters: dict[str, Tensor], x: Tensor, y: Tensor, masks: list[Tensor]
        ) -> Tensor:
            put(model, masks)
            return gradients.loss(functional_call(model, parameters, (x,)), y)

        every = vmap(grad(loss), in_dims=(None, 0, 0, 0))

        def matrix(flat: Tensor, x: Tensor, y: Tensor, masks: list[Tensor]) -> Tensor:
            pieces = zip(names, flat.split(sizes), shapes, strict=True)
            found = every({name: piece.view(shape) for name, piece, shape in pieces}, x, y, masks)
            return torch.cat([found[name].reshape(num_workers, -1) for name in names], dim=1)

        self._derive = matrix
        self._recorded: Callable[..., Tensor] | None = None

    def __call__(self, parameters: np.ndarray | Tensor, round: int) -> Tensor:
        """float32 [num_workers, N] at `parameters` float32 [N], on the data's device."""
        of, workers = self._gradients, range(self._num_workers)
        with one_thread(), of.precision(), torch.no_grad():
            ids = np.stack([of.batch(w, round) for w in workers])
            changes = [of.changes(w, round) for w in workers]
            x, y = of.samples(ids, None if changes[0] is None else np.stack(changes))
            drawn = zip(*(of.masks(w, round) for w in workers), strict=True)
            masks = [torch.from_numpy(np.stack(mask)).to(y.device) for mask in drawn]
            flat = torch.as_tensor(parameters, device=y.device)
            if self._recorded is None:
                self._recorded = make_fx(self._derive)(flat, x, y, masks)
            return self._recorded(flat, x, y, masks)

    def works(self, parameters: np.ndarray, round: int) -> bool:
        """Whether there is such a form of all operations of the network."""
        try:
            self(parameters, round)
        except (RuntimeError, NotImplementedError, TypeError):
            return False
        return True

    def agrees(self, parameters: np.ndarray, round: int) -> bool:
        """Whether all workers' gradients are the loop's to the last bit, in two rounds."""
        return all(self._agrees(parameters, t) for t in (round, round + 1))

    def _agrees(self, parameters: np.ndarray, round: int) -> bool:
        matrix = self(parameters, round).cpu().numpy()
        workers = range(self._num_workers)
        return all(
            np.array_equal(matrix[w], self._gradients(parameters, w, round)) for w in workers
        )
