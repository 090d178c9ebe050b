"""Which samples of the one batch belong to which worker."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Samples of one worker after another: worker w has `sizes[w]` of them.

    A tensor may have several rows for each sample, such as a row for each token: its first
    dimension is then a multiple of the number of samples.

    Attributes
    ----------
    sizes : tuple of int
        Samples of each worker, at least 1.

    Examples
    --------
    >>> layout = Layout((1, 2))
    >>> [part.tolist() for part in layout.split(torch.tensor([3.0, 4.0, 5.0]))]
    [[3.0], [4.0, 5.0]]
    >>> layout.sums(torch.tensor([3.0, 4.0, 5.0])).tolist()
    [3.0, 9.0]
    """

    sizes: tuple[int, ...]

    @property
    def total(self) -> int:
        """Number of samples of all workers."""
        return sum(self.sizes)

    @property
    def equal(self) -> bool:
        """Whether all workers have as many samples."""
        return len(set(self.sizes)) == 1

    def fits(self, x: Tensor) -> bool:
        """Tell whether a tensor has as many rows for each sample.

        Parameters
        ----------
        x : Tensor
            Of any shape.
        """
        return x.dim() > 0 and x.shape[0] > 0 and x.shape[0] % self.total == 0

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the rows of each worker, as views.

        Parameters
        ----------
        x : Tensor [k * total, ...]
        """
        rows = x.shape[0] // self.total
        return x.split([rows * size for size in self.sizes])

    def together(self, x: Tensor) -> Tensor:
        """Return the rows of each worker as [workers, rows, ...], where all have as many.

        Parameters
        ----------
        x : Tensor [k * total, ...]
        """
        return x.unflatten(0, (len(self.sizes), -1))

    def sums(self, x: Tensor) -> Tensor:
        """Return the sum of each worker's rows, [workers, ...].

        Parameters
        ----------
        x : Tensor [k * total, ...]
        """
        if self.equal:
            return self.together(x).sum(1)
        return torch.stack([part.sum(0) for part in self.split(x)])

    def workers(self, x: Tensor) -> Tensor:
        """Return the place of the worker of each row, int64 [k * total].

        Parameters
        ----------
        x : Tensor [k * total, ...]
        """
        rows = x.shape[0] // self.total
        places = [
            torch.full((rows * size,), worker, device=x.device)
            for worker, size in enumerate(self.sizes)
        ]
        return torch.cat(places)
