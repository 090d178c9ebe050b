"""Nearest-neighbour mixing (NNM): each row becomes the mean of the rows nearest to it."""

from __future__ import annotations

import torch
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.server.pre_aggregation import PreAggregation
from signfed.strategies.server.strategy import RobustStrategy


def nearest_neighbour_means(rows: Tensor, f: int) -> Tensor:
    """Replace each row by the mean of the n - f rows nearest to it, itself included.

    y_i = (1/(n-f)) sum of x_j over the n - f smallest ||x_i - x_j||; of equal ones the first rows

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    f : int, from 0 to n-1

    Returns
    -------
    Tensor, float32 [n, N]

    Examples
    --------
    >>> nearest_neighbour_means(torch.tensor([[0.0], [2.0], [90.0]]), 1)
    tensor([[ 1.],
            [ 1.],
            [46.]])
    """
    kept = len(rows) - f
    nearest = squared_distances(rows).argsort(dim=1, stable=True)[:, :kept]
    weights = torch.zeros(len(rows), len(rows), device=rows.device).scatter(1, nearest, 1.0 / kept)
    # Rows with the same neighbours are computed once, so that they get the same bits.
    each, place = weights.unique(dim=0, return_inverse=True)
    return (each.to(rows) @ rows)[place]


class NearestNeighbourMixing(PreAggregation):
    """Replace each row by the mean of its n - f nearest rows, before any rule.

    See `nearest_neighbour_means` for the equation.

    Parameters
    ----------
    inner : RobustStrategy
        The rule that gets the mixed rows.
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("median", [[0.0], [2.0], [90.0]], n_byzantine=1, pre_aggregation="nnm")
    array([1.], dtype=float32)

    Notes
    -----
    Precondition: n > 2f, and that of the inner rule. Deviation: none.

    References
    ----------
    Allouah et al. 2023, Algorithm 2.
    """

    def __init__(self, inner: RobustStrategy, n_byzantine: int = 0) -> None:
        super().__init__(inner)
        self.n_byzantine = n_byzantine

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few, here or for the inner rule; None when they are enough."""
        return majority_honest("nnm", n, self.n_byzantine) or super().admissible(n)

    def mix(self, updates: Updates) -> Updates:
        """Return the mixed rows, each of the worker whose row it replaces."""
        mixed = nearest_neighbour_means(updates.dense(), self.n_byzantine)
        return Updates.from_matrix(mixed, updates.ids, server_round=updates.server_round)
