"""Bulyan: Krum's choice, then a trimmed mean around the median."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from signfed.strategies.core.preconditions import at_least
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import krum_scores, lowest
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import coordinate_median, ordered
from signfed.strategies.server.strategy import RobustStrategy


def krum_selection(squared: Tensor, f: int, count: int) -> list[int]:
    """Krum's choice, removed, `count` times over: indices in the order of choice.

    With m rows left the score sums max(1, m - f - 2) neighbours.
    squared: squared distances, float64 [n, n]; count: 1..n.
    """
    left = list(range(len(squared)))
    chosen = []
    while len(chosen) < count:
        among = squared[left][:, left]
        scores = krum_scores(among, max(1, len(left) - f - 2))
        chosen.append(left.pop(int(lowest(scores, 1))))
    return chosen


def mean_around_median(rows: Tensor, beta: int) -> Tensor:
    """Per column, the mean of the beta values nearest to its median: float [n, N] -> [N].

    Of two equally near values the lower one counts as nearer.
    """
    values = ordered(rows, range(len(rows)))
    distances = (values - coordinate_median(rows)).abs()
    nearest = distances.argsort(dim=0, stable=True)[:beta]
    return values.gather(0, nearest).mean(dim=0)


class Bulyan(RobustStrategy):
    """Per coordinate, a mean around the median of the rows that repeated Krum selects.

    theta = n - 2f rows, of which the theta - 2f nearest values are averaged: float32 [N].

    n_byzantine: f. Precondition: n >= 4f+3.
    Reference: El Mhamdi et al. 2018, section 4, Algorithm "Bulyan(Krum)".
    Deviation from the paper: Krum's last rounds have fewer than f+3 rows left, where the paper's
    number of neighbours is not positive; at least one is summed.
    """

    encoder = "float32"

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        return at_least("bulyan", n, self.n_byzantine, per_byzantine=4, more=3)

    def aggregate(self, updates: Updates) -> Tensor:
        rows, theta = updates.dense(), updates.n - 2 * self.n_byzantine
        chosen = sorted(krum_selection(squared_distances(rows), self.n_byzantine, theta))
        self._accepted = updates.ids[chosen].tolist()
        return mean_around_median(rows[chosen], theta - 2 * self.n_byzantine)

    def diagnostics(self) -> dict[str, Any]:
        """trusted: ids that Krum selected."""
        return {"accepted": self._accepted}
