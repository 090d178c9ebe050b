"""All workers' gradients in one call, the worker axis vectorised."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from app.task.gradients import Gradients, one_thread

LARGE = 100_000  # parameters from which a CPU loses by it: the work outweighs the calls


class BatchedGradients:
    """What `gradients` gives for each of num_workers workers, as one matrix.

    torch.func.vmap over the workers: one call of each operation in place of one per worker. Pays
    where operations are small, or on a GPU. Same arithmetic; `agrees` tells whether also the same
    bits.
    """

    def __init__(self, gradients: Gradients, num_workers: int) -> None:
        self._gradients = gradients
        self._num_workers = num_workers
        model = copy.deepcopy(gradients.model)
        named = dict(model.named_parameters())
        self._names = list(named)
        self._shapes = [parameter.shape for parameter in named.values()]
        self._sizes = [parameter.numel() for parameter in named.values()]

        def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return cross_entropy(functional_call(model, parameters, (x,)), y)

        self._all = vmap(grad(loss), in_dims=(None, 0, 0))

    def __call__(self, parameters: np.ndarray | Tensor, round: int) -> Tensor:
        """float32 [num_workers, N] at `parameters` float32 [N], on the data's device."""
        with one_thread(), self._gradients.precision():
            batches = [self._gradients.batch(w, round) for w in range(self._num_workers)]
            x, y = self._gradients.samples(torch.stack(batches))
            flat = torch.as_tensor(parameters, device=y.device).split(self._sizes)
            pieces = (piece.view(shape) for piece, shape in zip(flat, self._shapes, strict=True))
            found = self._all(dict(zip(self._names, pieces, strict=True)), x, y)
            rows = [found[name].reshape(self._num_workers, -1) for name in self._names]
            return torch.cat(rows, dim=1)

    def agrees(self, parameters: np.ndarray, round: int) -> bool:
        """Whether all workers' gradients are the loop's to the last bit."""
        matrix = self(parameters, round).cpu().numpy()
        workers = range(self._num_workers)
        return all(
            np.array_equal(matrix[w], self._gradients(parameters, w, round)) for w in workers
        )
