"""Bulyan: Krum's choice, then a trimmed mean around the median."""

from __future__ import annotations

from collections.abc import Iterator
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

Step = Annotated[
    Literal["krum", "multi-krum"],
    Field(description="what a step keeps: Krum's row or Multi-Krum's mean (SignGuard's code)"),
]


def krum_steps(distances: Tensor, f: int, count: int) -> Iterator[list[int]]:
    """Order the rows that are left by Krum and remove the first one, `count` times.

    With m rows left a score sums max(1, m - f - 2) neighbours.

    Parameters
    ----------
    distances : Tensor, float64 [n, n]
        Of all pairs; squared, as in Krum's paper, or not.
    f : int
        How many rows may be Byzantine.
    count : int, from 1 to n

    Yields
    ------
    list of int
        Indices of the m rows, lowest score first.

    Examples
    --------
    >>> line = torch.tensor([[0.0], [1.0], [3.0], [100.0]])
    >>> list(krum_steps(squared_distances(line), 0, 3))
    [[1, 0, 2, 3], [0, 2, 3], [2, 3]]
    """
    left = list(range(len(distances)))
    for _ in range(count):
        among = distances[left][:, left]
        scores = krum_scores(among, max(1, len(left) - f - 2))
        ranked = [left[i] for i in lowest(scores, len(left)).tolist()]
        yield ranked
        left.remove(ranked[0])


def means_of(rows: Tensor, groups: list[list[int]]) -> Tensor:
    """Average each group of rows.

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite
    groups : list of list of int
        Indices of rows, at least one in each of the k groups.

    Returns
    -------
    Tensor, float32 [k, N]

    Examples
    --------
    >>> means_of(torch.tensor([[0.0], [2.0], [7.0]]), [[0, 1], [2]]).tolist()
    [[1.0], [7.0]]
    """
    weights = torch.zeros(len(groups), len(rows))
    for weight, group in zip(weights, groups, strict=True):
        weight[group] = 1.0 / len(group)
    return uploaded(weights, rows.device) @ rows


class Bulyan(RobustStrategy):
    """Average, in each coordinate, values around the median of the rows that Krum selects.

    The first rows of theta = n - 2f `krum_steps`, then `mean_nearest_median` of beta = theta - 2f
    values.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    step : {"krum", "multi-krum"}
        What a step keeps: the first of the m rows that are left, or the mean of the first
        m - f - 2. With means theta = n - 2f - 2, and distances are not squared.

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
    neighbours is not positive; at least one is summed. Means of Multi-Krum are in no paper.

    References
    ----------
    El Mhamdi et al. 2018, section 4, algorithm "Bulyan(Krum)"; the authors' code of Xu et al. 2022
    for means of Multi-Krum.
    """

    encoder = "float32"
    sorts = True

    def __init__(self, n_byzantine: int = 0, step: Step = "krum") -> None:
        self.n_byzantine = n_byzantine
        self.step = step
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return at_least("bulyan", n, self.n_byzantine, per_byzantine=4, more=3)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean around the median of what the steps keep, float32 [N]."""
        rows, f, n = updates.dense(), self.n_byzantine, updates.n
        squared = squared_distances(rows)
        if self.step == "krum":
            chosen = sorted(ranked[0] for ranked in krum_steps(squared, f, n - 2 * f))
            kept = rows[chosen]
        else:
            steps = krum_steps(squared.sqrt(), f, n - 2 * f - 2)
            groups = [ranked[: len(ranked) - f - 2] for ranked in steps]
            chosen, kept = sorted(set().union(*groups)), means_of(rows, groups)
        self._accepted = updates.ids[chosen].tolist()
        return mean_nearest_median(kept, len(kept) - 2 * f)

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of the rows that a step kept, alone or in its mean."""
        return {"accepted": self._accepted}
