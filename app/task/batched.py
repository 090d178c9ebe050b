"""All workers' gradients in one call, the worker axis vectorised."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from signfed.app.task.gradients import Gradients
from signfed.app.task.local_steps import keys, local_change
from signfed.app.task.many import Consume
from signfed.app.task.models.parameters import trainable
from signfed.app.task.models.pure import put
from signfed.app.task.recorded import recorded
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.ops.upload import uploaded

LARGE = 100_000  # parameters from which a CPU loses by it: the work outweighs the calls


class BatchedGradients:
    """The gradients of several workers as one matrix: `ManyGradients`.

    torch.func.vmap over the workers: one call of each operation in place of one per worker. It pays
    where operations are small, or on a GPU. The operations are recorded once and then run as they
    are, without what it takes to derive them. The arithmetic is the same; `agrees` tells whether
    the bits are.

    Parameters
    ----------
    gradients : Gradients
        Which gives them one by one.
    each_input : bool
        Whether network input is made for one worker at a time, since a user's function makes it.
    """

    def __init__(self, gradients: Gradients, *, each_input: bool = False) -> None:
        self.gradients, self._each_input = gradients, each_input
        model = copy.deepcopy(gradients.model)
        among = set(trainable(model))
        named = {n: p for n, p in model.named_parameters() if p in among}
        names, shapes = list(named), [parameter.shape for parameter in named.values()]
        sizes = [parameter.numel() for parameter in named.values()]
        measure = _nothing_ignored if gradients.loss is cross_entropy else gradients.loss

        def loss(
            parameters: dict[str, Tensor], x: Tensor, y: Tensor, masks: list[Tensor]
        ) -> Tensor:
            put(model, masks)
            return measure(functional_call(model, parameters, (x,)), y)

        def matrix(flat: Tensor, x: Tensor, y: Tensor, masks: list[Tensor]) -> Tensor:
            *many, _ = flat.shape  # one model for all, or after a local step one each
            pieces = zip(names, flat.split(sizes, dim=-1), shapes, strict=True)
            model = {name: piece.reshape(*many, *shape) for name, piece, shape in pieces}
            every = vmap(grad(loss), in_dims=(0 if many else None, 0, 0, 0))
            found = every(model, x, y, masks)
            return torch.cat([found[name].reshape(len(x), -1) for name in names], dim=1)

        self._derive = matrix
        self._recorded: dict[tuple[int, ...], Callable[..., Tensor]] = {}

    def of(self, gradients: Gradients) -> BatchedGradients:
        """Return the same way to other gradients of the same workers.

        Parameters
        ----------
        gradients : Gradients
        """
        return BatchedGradients(gradients, each_input=self._each_input)

    def __call__(
        self, parameters: np.ndarray | Tensor, workers: Sequence[int], server_round: int
    ) -> Tensor:
        """Compute the matrix; workers with batches of one size are computed together."""
        of = self.gradients

        def step(start: Tensor, number: int) -> Tensor:
            return self._step(start, [keys(w, server_round, number) for w in workers])

        with one_thread(), of.precision(), torch.no_grad():
            return local_change(step, torch.as_tensor(parameters, device=of.device), of.local)

    def hand_over(
        self,
        parameters: np.ndarray | Tensor,
        workers: Sequence[int],
        server_round: int,
        consume: Consume,
    ) -> None:
        """Hand over the same as one block."""
        matrix = self(parameters, workers, server_round)
        consume(slice(0, len(matrix)), slice(0, matrix.shape[1]), matrix)

    def draw_ahead(self, workers: Sequence[int], server_round: int) -> None:
        self.gradients.draw_ahead(workers, server_round)

    def _step(self, start: Tensor, at: Sequence[tuple[int, ...]]) -> Tensor:
        """Gradients on the batches of that worker, round and step; start: [N] or [n, N]."""
        groups: dict[int, list[int]] = {}  # by the size of their batches
        for i, (worker, *_) in enumerate(at):
            groups.setdefault(self.gradients.batch_sizes[worker], []).append(i)
        if len(groups) == 1:
            return self._of_one_size(start.clone(), at)  # a model may write into it
        found = start.new_empty(len(at), start.shape[-1])
        for group in groups.values():
            flat = start[group] if start.dim() > 1 else start.clone()
            found[group] = self._of_one_size(flat, [at[i] for i in group])
        return found

    def _of_one_size(self, flat: Tensor, at: Sequence[tuple[int, ...]]) -> Tensor:
        of = self.gradients
        ids = np.stack([of.batch(*each) for each in at])
        changes = [of.changes(*each) for each in at]
        drawn = [change for change in changes if change is not None]
        x, y = of.samples(ids, np.stack(drawn) if drawn else None, each_input=self._each_input)
        by_dropout = zip(*(of.masks(*each) for each in at), strict=True)
        masks = [uploaded(np.stack(mask), y.device) for mask in by_dropout]
        key = *ids.shape, flat.dim()
        if key not in self._recorded:
            self._recorded[key] = recorded(self._derive, flat, x, y, masks)
        return self._recorded[key](flat, x, y, masks)

    def works(self, parameters: np.ndarray, workers: Sequence[int], server_round: int) -> bool:
        """Tell whether there is such a form of all operations of the network.

        Parameters
        ----------
        parameters, workers, server_round
            Of a call, which is tried.
        """
        try:
            self(parameters, workers, server_round)
        except torch.cuda.OutOfMemoryError:
            raise
        except (RuntimeError, NotImplementedError, TypeError):
            return False
        return True

    def agrees(self, parameters: np.ndarray, workers: Sequence[int], server_round: int) -> bool:
        """Tell whether these workers' gradients in the round are the loop's to the last bit.

        Parameters
        ----------
        parameters, workers, server_round
            Of the call that is compared.
        """
        matrix = self(parameters, workers, server_round).cpu().numpy()
        return all(
            np.array_equal(row, self.gradients(parameters, worker, server_round))
            for row, worker in zip(matrix, workers, strict=True)
        )


def _nothing_ignored(scores: Tensor, labels: Tensor) -> Tensor:
    """cross_entropy without its care for labels to be ignored: a fifth of a small net's calls."""
    return torch.log_softmax(scores, 1).gather(1, labels.unsqueeze(1)).sum() / -len(labels)
