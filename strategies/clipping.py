"""Static clipping: no row is longer than a threshold."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.pre_aggregation import PreAggregation
from signfed.strategies.core.rule import Rule
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import norms
from signfed.strategies.server.strategy import RobustStrategy


def clipped(rows: Tensor, lengths: Tensor, threshold: float) -> Tensor:
    """Shorten the rows that are longer than a threshold.

    y_i = x_i min(1, c / ||x_i||)

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite
    lengths : Tensor, float64 [n]
        ||x_i||.
    threshold : float, at least 0
        c.

    Returns
    -------
    Tensor, float32 [n, N]
        The same tensor where no row is longer.

    Examples
    --------
    >>> rows = torch.tensor([[3.0, 4.0], [0.6, 0.8]])
    >>> clipped(rows, norms(rows), 2.5)
    tensor([[1.5000, 2.0000],
            [0.6000, 0.8000]])
    """
    longer = (lengths > threshold).nonzero().flatten().tolist()
    if not longer:
        return rows
    shortened = rows.clone()
    for i in longer:
        # In float64, where the factor of a row at 1e38 still has all its digits.
        shortened[i] = rows[i].to(torch.float64) * (threshold / lengths[i])
    return shortened


class Clipping(PreAggregation, RobustStrategy):
    """Shorten rows to a fixed length, before any rule.

    See `clipped` for the equation. It bounds what a long row does, and tells no short Byzantine row
    from an honest one. On the sign channel all rows are equally long, and a vote takes the signs.

    Parameters
    ----------
    inner : Rule
        The rule that gets the clipped rows.
    threshold : float
        c, above 0: about the length of an honest gradient.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0], [2.0], [3.0], [900.0]]
    >>> four = {"threshold": 4.0}
    >>> aggregate("mean", rows, pre_aggregation="clipping", pre_aggregation_options=four)
    array([2.5], dtype=float32)

    Notes
    -----
    Precondition: that of the inner rule.

    Deviation: none; 2 is ByzFL's threshold.

    References
    ----------
    Allouah et al. 2025 (Adaptive gradient clipping for robust federated learning).
    """

    def __init__(
        self,
        inner: Rule,
        /,  # by position, as it is no option
        threshold: Annotated[
            float, Field(gt=0, description="c, the length of a row at most")
        ] = 2.0,
    ) -> None:
        super().__init__(inner)
        self.threshold = threshold

    def mix(self, updates: Updates) -> Updates:
        """Return the clipped rows, each of the worker whose row it was."""
        rows = updates.dense()
        shortened = clipped(rows, norms(rows), self.threshold)
        return Updates.from_matrix(shortened, updates.ids, server_round=updates.server_round)
