"""Coordinate-wise trimmed mean."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import ordered
from signfed.strategies.server.strategy import RobustStrategy


def trimmed_mean(rows: Tensor, k: int) -> Tensor:
    """Mean of each column without its k lowest and k highest values: float [n, N] -> [N].

    k: 0..(n-1)/2; 0 is the mean.
    """
    return ordered(rows, range(k, len(rows) - k)).mean(dim=0)


class TrimmedMean(RobustStrategy):
    """Per coordinate, the mean of the n - 2f middle values: float32 [N].

    n_byzantine: f. Precondition: n > 2f.
    Reference: Yin et al. 2018, Definition 2, with beta = f/n.
    Deviation from the paper: none.
    """

    encoder = "float32"

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine

    def admissible(self, n: int) -> str | None:
        return majority_honest("trimmed-mean", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        return trimmed_mean(updates.dense(), self.n_byzantine)
