"""Bulyan: Krum's choice, then a trimmed mean around the median."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from signfed.strategies.core.preconditions import at_least
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import krum_scores
from signfed.strategies.meamed import mean_nearest_median
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import lowest
from signfed.strategies.server.strategy import RobustStrategy


def krum_selection(squared: Tensor, f: int, count: int) -> list[int]:
    """Choose a row by Krum and remove it, `count` times.

    With m rows left a score sums max(1, m - f - 2) neighbours.

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs.
    f : int
        How many rows may be Byzantine.
    count : int, from 1 to n

    Returns
    -------
    list of int
        Indices of rows, in the order in which they were chosen.

    Examples
    --------
    >>> import torch
    >>> krum_selection(squared_distances(torch.tensor([[0.0], [1.0], [3.0], [100.0]])), 0, 3)
    [1, 0, 2]
    """
    left = list(range(len(squared)))
    chosen: list[int] = []
    while len(chosen) < count:
        among = squared[left][:, left]
        scores = krum_scores(among, max(1, len(left) - f - 2))
        chosen.append(left.pop(int(lowest(scores, 1))))
    return chosen


class Bulyan(RobustStrategy):
    """Average, in each coordinate, values around the median of the rows that Krum selects.

    `krum_selection` of theta = n - 2f rows, then `mean_nearest_median` of beta = theta - 2f values.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [100.0]]
    >>> aggregate("bulyan", rows, n_byzantine=1)
    array([2.], dtype=float32)

    Notes
    -----
    Precondition: n >= 4f+3.

    Deviation: in Krum's last rounds fewer than f+3 rows are left, where the paper's number of
    neighbours is not positive; at least one is summed.

    References
    ----------
    El Mhamdi et al. 2018, section 4, algorithm "Bulyan(Krum)".
    """

    encoder = "float32"
    sorts = True

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return at_least("bulyan", n, self.n_byzantine, per_byzantine=4, more=3)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean around the median of the selected rows, float32 [N]."""
        rows, theta = updates.dense(), updates.n - 2 * self.n_byzantine
        chosen = sorted(krum_selection(squared_distances(rows), self.n_byzantine, theta))
        self._accepted = updates.ids[chosen].tolist()
        return mean_nearest_median(rows[chosen], theta - 2 * self.n_byzantine)

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of the rows that Krum selected."""
        return {"accepted": self._accepted}
