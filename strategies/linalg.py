"""The shared maths of the rules on rows, float32 [n, N]; inputs are never changed."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1 << 16  # columns that are float64 at a time
FAR = 1e6  # a row this much farther out than the central one spoils the common centre


def combine(rows: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i rows_i: float [n, N] and [n] -> [N], in the rows' dtype.

    Rows of weight 0 are left out, not multiplied: a row that a rule rejected may hold anything.
    """
    used = weights.nonzero().squeeze(-1)
    return weights[used].to(rows) @ rows[used]


def average(rows: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen rows: float [n, N], indices int64 [k], k >= 1 -> [N]."""
    return rows[chosen].mean(dim=0)


def gram(rows: Tensor, centre: Tensor) -> Tensor:
    """Inner products <x_i - c, x_j - c>: float [n, N] and [N] -> float64 [n, n]."""
    product = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    for columns, middle in zip(rows.split(CHUNK, dim=1), centre.split(CHUNK), strict=True):
        centred = columns.to(torch.float64) - middle.to(torch.float64)
        product += centred @ centred.T
    return (product + product.T) / 2


def central_gram(rows: Tensor) -> tuple[Tensor, int | None]:
    """`gram` around a centre near the bulk of the rows, and which row that is (None: the mean).

    Distances between rows that are nearly alike are differences of large squares unless the
    centre is near them, so one row at 1e30 must not move it.
    """
    product = gram(rows, rows.to(torch.float64).mean(dim=0))
    typical = distances_of(product).median(dim=1).values  # to the middle one of the others
    centre = int(typical.argmin())
    if typical.max() <= FAR * typical[centre] or len(rows) < 3:
        return product, None
    return gram(rows, rows[centre]), centre


def distances_of(product: Tensor) -> Tensor:
    """Squared distances from inner products: float64 [n, n], zero diagonal, never negative."""
    norms = product.diagonal()
    distances = (norms[:, None] + norms[None, :] - 2 * product).clamp(min=0.0)
    return distances.fill_diagonal_(0.0)


def squared_distances(rows: Tensor) -> Tensor:
    """||x_i - x_j||^2 for all pairs: float [n, N] -> float64 [n, n], symmetric."""
    return distances_of(central_gram(rows)[0])


def coordinate_median(rows: Tensor) -> Tensor:
    """Median of each column, float [n, N] -> [N]; the mean of the middle two for even n."""
    n = len(rows)
    ordered = rows.sort(dim=0).values
    return 0.5 * ordered[(n - 1) // 2] + 0.5 * ordered[n // 2]  # halves first: no overflow
