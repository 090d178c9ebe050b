"""Bulyan: Krum's choice, then a trimmed mean around the median."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import at_least
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import krum_scores
from signfed.strategies.meamed import mean_nearest_median
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import lowest
from signfed.strategies.ops.upload import uploaded
from signfed.strategies.server.strategy import RobustStrategy

Of = Annotated[
    Literal["krum", "multi-krum"],
    Field(description="rows that Krum chooses, or means of Multi-Krum: SignGuard's code"),
]


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


def multi_krum_means(rows: Tensor, ranked: Tensor, count: int) -> Tensor:
    """Average the ranked rows, without the first, without the first two, and so on.

    mean_i = 1 / (k - i) sum of the rows of ranks i to k - 1, for i < count

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite
    ranked : Tensor, int64 [k]
        Indices of rows, the lowest score first.
    count : int, from 1 to k

    Returns
    -------
    Tensor, float32 [count, N]

    Examples
    --------
    >>> line = torch.tensor([[0.0], [2.0], [7.0], [90.0]])
    >>> multi_krum_means(line, torch.tensor([2, 1]), 2).tolist()
    [[4.5], [2.0]]
    """
    shares = torch.ones(count, len(ranked)).triu()
    weights = torch.zeros(count, len(rows))
    weights[:, ranked.cpu()] = shares / shares.sum(dim=1, keepdim=True)
    return uploaded(weights, rows.device) @ rows


class Bulyan(RobustStrategy):
    """Average, in each coordinate, values around the median of the rows that Krum selects.

    `krum_selection` of theta = n - 2f rows, then `mean_nearest_median` of beta = theta - 2f values.
    Or, of the n - f - 2 rows with the lowest Krum scores, `multi_krum_means` of theta = n - 2f - 2,
    likewise.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    of : {"krum", "multi-krum"}
        What is averaged. For means, scores are sums of distances that are not squared, and of an
        even number of means the lower one of the middle two is the median.

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
    neighbours is not positive; at least one is summed. Means are not in the paper: they are what
    the code of SignGuard's authors computes, whose scores are those of all rows to the end.

    References
    ----------
    El Mhamdi et al. 2018, section 4, algorithm "Bulyan(Krum)"; means: the code of Xu et al. 2022.
    """

    encoder = "float32"
    sorts = True

    def __init__(self, n_byzantine: int = 0, of: Of = "krum") -> None:
        self.n_byzantine = n_byzantine
        self.of = of
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return at_least("bulyan", n, self.n_byzantine, per_byzantine=4, more=3)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean around the median of the selected rows or means, float32 [N]."""
        rows, n, f = updates.dense(), updates.n, self.n_byzantine
        squared = squared_distances(rows)
        if self.of == "krum":
            chosen = sorted(krum_selection(squared, f, n - 2 * f))
            kept = rows[chosen]
        else:
            ranked = lowest(krum_scores(squared.sqrt(), n - f - 2), n - f - 2)
            chosen, kept = sorted(ranked.tolist()), multi_krum_means(rows, ranked, n - 2 * f - 2)
        self._accepted = updates.ids[chosen].tolist()
        return mean_nearest_median(kept, len(kept) - 2 * f, lower=self.of == "multi-krum")

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of the rows that Krum selected, or that enter a mean."""
        return {"accepted": self._accepted}
