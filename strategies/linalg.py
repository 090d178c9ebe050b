"""The shared maths of the rules on rows, float32 [n, N]; inputs are never changed."""

from __future__ import annotations

import torch
from torch import Tensor


def combine(rows: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i rows_i: float [n, N] and [n] -> [N], in the rows' dtype.

    Rows of weight 0 are left out, not multiplied: a row that a rule rejected may hold anything.
    """
    used = weights.nonzero().squeeze(-1)
    return weights[used].to(rows) @ rows[used]


def squared_distances(rows: Tensor) -> Tensor:
    """||x_i - x_j||^2 for all pairs: float64 [n, n], symmetric, zero diagonal, never negative.

    Through one Gram matrix of the centred rows in float64: in float32 the difference of two large
    squares is noise for rows that are nearly alike. A distance that is not finite becomes inf.
    """
    centred = rows.to(torch.float64)
    centred = centred - centred.mean(dim=0)
    gram = centred @ centred.T
    norms = gram.diagonal()
    distances = (norms[:, None] + norms[None, :] - 2 * gram).clamp(min=0.0)
    distances = torch.nan_to_num((distances + distances.T) / 2, nan=torch.inf, posinf=torch.inf)
    return distances.fill_diagonal_(0.0)


def coordinate_median(rows: Tensor) -> Tensor:
    """Median of each column, float [n, N] -> [N]; the mean of the middle two for even n."""
    n = len(rows)
    ordered = rows.sort(dim=0).values
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
