"""Mean around the median (MeaMed), per coordinate."""

from __future__ import annotations

import torch
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import ordered
from signfed.strategies.server.strategy import RobustStrategy


def mean_nearest_median(rows: Tensor, count: int, *, lower: bool = False) -> Tensor:
    """Average, in each column, the `count` values that are nearest to its median.

    (1/k) sum of the k values with the smallest |x - med|; of two equally near the lower

    In a sorted column they are neighbours: k consecutive values, of which one has rank r, r + k or
    r + 2k and so on for each r < k. It is the last of these that is nearer to the median than the
    one before it, so nothing is sorted by distance, and no far value enters a sum.

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    count : int, from 1 to n
        k.
    lower : bool
        Whether the median of an even number is the lower one of the middle two, not their mean.

    Returns
    -------
    Tensor, float32 [N]

    Examples
    --------
    >>> mean_nearest_median(torch.tensor([[0.0], [4.0], [5.0], [7.0], [90.0]]), 3)
    tensor([5.3333])
    """
    n = len(rows)
    values = ordered(rows, range(n))
    below, above = values[(n - 1) // 2], values[n // 2]
    median = below if lower else 0.5 * below + 0.5 * above  # halves first: no overflow
    total = torch.zeros_like(median)
    for rank in range(count):
        nearest = values[rank]
        for lower, upper in zip(values[rank::count], values[rank + count :: count], strict=False):
            nearest = torch.where(upper - median < median - lower, upper, nearest)
        total += nearest
    return total / count


class MeaMed(RobustStrategy):
    """Average, in each coordinate, the n - f values nearest to the median.

    See `mean_nearest_median` for the equation, with k = n - f.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("meamed", [[1.0], [2.0], [6.0], [900.0]], n_byzantine=1)
    array([3.], dtype=float32)

    Notes
    -----
    Precondition: n > 2f. Deviation: none from the definition that ByzFL gives; the paper could not
    be read.

    References
    ----------
    Xie et al. 2018 (Generalized Byzantine-tolerant SGD), "mean around median".
    """

    encoder = "float32"
    sorts = True

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return majority_honest("meamed", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean around the median, float32 [N]."""
        return mean_nearest_median(updates.dense(), updates.n - self.n_byzantine)
