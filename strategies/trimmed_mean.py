"""Coordinate-wise trimmed mean."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import ordered
from signfed.strategies.server.strategy import RobustStrategy


def trimmed_mean(rows: Tensor, k: int) -> Tensor:
    """Average each column without its k lowest and its k highest values.

    (1/(n-2k)) sum_{j=k+1}^{n-k} x_(j) with x_(1) <= ... <= x_(n)

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    k : int, from 0 to (n-1)/2
        0 gives the mean.

    Returns
    -------
    Tensor, float32 [N]

    Examples
    --------
    >>> import torch
    >>> trimmed_mean(torch.tensor([[1.0], [2.0], [4.0], [900.0]]), 1)
    tensor([3.])
    """
    return ordered(rows, range(k, len(rows) - k)).mean(dim=0)


class TrimmedMean(RobustStrategy):
    """Average, in each coordinate, the n - 2f middle values.

    See `trimmed_mean` for the equation, with k = f.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("trimmed-mean", [[1.0], [2.0], [4.0], [900.0]], n_byzantine=1)
    array([3.], dtype=float32)

    Notes
    -----
    Precondition: n > 2f. Deviation: none.

    References
    ----------
    Yin et al. 2018, Definition 2, with beta = f/n.
    """

    encoder = "float32"
    sorts = True

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return majority_honest("trimmed-mean", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the trimmed mean, float32 [N]."""
        return trimmed_mean(updates.dense(), self.n_byzantine)
