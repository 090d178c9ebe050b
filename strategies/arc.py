"""Adaptive robust clipping (ARC): the longest rows become as long as the next one."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.clipping import clipped
from signfed.strategies.core.pre_aggregation import PreAggregation
from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.rule import Rule
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import norms
from signfed.strategies.server.strategy import RobustStrategy


def adaptive_threshold(lengths: Tensor, f: int) -> float:
    """Find the length to which the longest rows are clipped.

    c = l_(k+1), where l_(1) >= ... >= l_(n) are the lengths and k = floor(2 f (n-f) / n)

    Parameters
    ----------
    lengths : Tensor, float64 [n]
    f : int, from 0 to n
        k is at most n/2.

    Returns
    -------
    float

    Examples
    --------
    >>> import torch
    >>> adaptive_threshold(torch.tensor([5.0, 1.0, 2.0, 90.0]), 1)  # k = 1
    5.0
    """
    n = len(lengths)
    k = 2 * f * (n - f) // n
    return float(lengths.sort(descending=True).values[k])


class ARC(PreAggregation, RobustStrategy):
    """Shorten the longest rows to the length of the next one, before any rule.

    y_i = x_i min(1, c / ||x_i||) with the c of `adaptive_threshold`: the k longest rows get the
    length of the longest that is left. Nothing has to be known of the length of an honest gradient.
    On the sign channel all rows are equally long.

    Parameters
    ----------
    inner : Rule
        The rule that gets the clipped rows.
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0], [2.0], [5.0], [900.0]]
    >>> aggregate("mean", rows, n_byzantine=1, pre_aggregation="arc")
    array([3.25], dtype=float32)

    Notes
    -----
    Precondition: n > 2f, and that of the inner rule.

    Deviation: none from the definition that ByzFL gives; k is computed in whole numbers, where its
    code may lose one to rounding. The paper's algorithm could not be read, its abstract could.

    References
    ----------
    Allouah et al. 2025 (Adaptive gradient clipping for robust federated learning).
    """

    def __init__(self, inner: Rule, /, n_byzantine: int = 0) -> None:
        super().__init__(inner)
        self.n_byzantine = n_byzantine

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few, here or for the inner rule; None when they are enough."""
        return majority_honest("arc", n, self.n_byzantine) or super().admissible(n)

    def mix(self, updates: Updates) -> Updates:
        """Return the clipped rows, each of the worker whose row it was."""
        rows = updates.dense()
        lengths = norms(rows)
        shortened = clipped(rows, lengths, adaptive_threshold(lengths, self.n_byzantine))
        return Updates.from_matrix(shortened, updates.ids, server_round=updates.server_round)
