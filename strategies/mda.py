"""Minimum-diameter averaging (MDA): the mean of the n - f rows that lie closest together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import krum_scores
from signfed.strategies.ops.cover import covers
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import average, lowest, rounded
from signfed.strategies.server.strategy import RobustStrategy

MOST_BYZANTINE = 24  # the search takes up to 1.62^f steps, and Byzantine rows may ask for them all


def least_diameter(squared: Tensor, f: int) -> list[int]:
    """Find the n - f rows with the least diameter.

    argmin over |S| = n - f of max_{i,j in S} ||x_i - x_j||

    The rows left out touch every pair that is farther apart than the diameter: they are a vertex
    cover of these pairs, so the search is over f rows and not over all C(n, f) subsets. Subsets of
    the same diameter are common: where one pair alone is too far apart, either of its rows may go.
    Then the row with the highest Krum score (over n - f - 1 neighbours) goes first, of equal ones
    the last.

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs, with a zero diagonal.
    f : int, from 0 to (n-1)/2

    Returns
    -------
    list of int
        Indices of n - f rows, ascending.

    Examples
    --------
    >>> line = torch.tensor([[0.0], [1.0], [3.0], [100.0], [3.5]])
    >>> least_diameter(squared_distances(line), 2)
    [1, 2, 4]
    """
    n = len(squared)
    order = lowest(krum_scores(squared, n - f - 1), n)  # vertex 0 is the last to go
    distances = rounded(squared)[order][:, order].cpu()
    diameters = distances.unique().tolist()
    low, high = 0, len(diameters) - 1
    while low < high:
        middle = (low + high) // 2
        if next(covers(_farther(distances, diameters[middle]), f), None) is None:
            low = middle + 1
        else:
            high = middle
    removed = max(covers(_farther(distances, diameters[low]), f))
    return sorted(row for v, row in enumerate(order.tolist()) if not removed >> v & 1)


def _farther(distances: Tensor, diameter: float) -> list[int]:
    """Join the rows that are farther apart than the diameter."""
    return [
        sum(1 << j for j, far in enumerate(row) if far) for row in (distances > diameter).tolist()
    ]


class MDA(RobustStrategy):
    """Average the n - f rows that lie closest together.

    (1/(n-f)) sum of g_m over the subset of n - f rows with the least diameter; see
    `least_diameter`, which is exact.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("mda", [[1.0], [2.0], [4.0], [900.0]], n_byzantine=1).round(3)
    array([2.333], dtype=float32)

    Notes
    -----
    Precondition: n > 2f, and f <= 24, since the time grows with 1.62^f at worst.

    Deviation: none from the definition that ByzFL gives, which leaves open which of several subsets
    with the same diameter it is; the choice among them is ours. The paper could not be read.

    References
    ----------
    El Mhamdi et al. 2020 (Genuinely distributed Byzantine machine learning).
    """

    encoder = "float32"

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few, or f too many to search; None when neither is."""
        if self.n_byzantine > MOST_BYZANTINE:
            return (
                f"mda searches in up to 1.62^f steps: got f={self.n_byzantine}; expected "
                f"f <= {MOST_BYZANTINE}, or another rule"
            )
        return majority_honest("mda", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the subset, float32 [N]."""
        rows = updates.dense()
        chosen = least_diameter(squared_distances(rows), self.n_byzantine)
        self._accepted = updates.ids[chosen].tolist()
        return average(rows, torch.tensor(chosen))

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of the averaged rows."""
        return {"accepted": self._accepted}
