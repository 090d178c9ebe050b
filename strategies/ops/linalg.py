"""The shared maths of the rules on rows, float32 [n, N]; inputs are never changed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from signfed.strategies.ops.gram import centred_gram, distances_of
from signfed.strategies.ops.order import order_statistics

FAR = 1e6  # a row this much farther out than the central one spoils the common centre


def combine(rows: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i rows_i: finite float [n, N] and [n] -> [N], in the rows' dtype."""
    return weights.to(rows) @ rows


def average(rows: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen rows: finite float [n, N], indices int64 [k], k >= 1 -> [N]."""
    if len(chosen) == 1:
        return rows[chosen[0]].clone()
    picked = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
    picked[chosen] = 1.0
    return picked @ rows / len(chosen)  # without a copy of the rows


def norms(rows: Tensor) -> Tensor:
    """Euclidean norms of finite rows, float32 [n, N] -> float64 [n].

    Squares add up in float32 (50 times faster than in float64), to about 1e-6; a row whose squares
    leave its range is done again in float64.
    """
    found = torch.linalg.vector_norm(rows, dim=1).to(torch.float64)
    for i in (~((found > 1e-15) & (found < 1e18))).nonzero().flatten().tolist():
        found[i] = torch.linalg.vector_norm(rows[i], dtype=torch.float64)
    return found


def central_gram(rows: Tensor) -> Tensor:
    """Inner products around a centre near the bulk of the rows: float [n, N] -> float64 [n, n].

    Distances between rows that are nearly alike are differences of large squares unless the
    centre is near them, so one row at 1e30 must not move it.
    """
    product = centred_gram(rows)
    typical = distances_of(product).median(dim=1).values  # to the middle one of the others
    centre = int(typical.argmin())
    if typical.max() <= FAR * typical[centre] or len(rows) < 3:
        return product
    return centred_gram(rows, rows[centre])


def ordered(rows: Tensor, ranks: Sequence[int]) -> Tensor:
    """The values of these ranks in each column, 0 the lowest: float32 [n, N] -> [len(ranks), N]."""
    if rows.device.type == "cpu":
        return torch.from_numpy(order_statistics(rows.numpy(), ranks))
    return rows.sort(dim=0).values[list(ranks)]


def coordinate_median(rows: Tensor) -> Tensor:
    """Median of each column, float32 [n, N] -> [N]; the mean of the middle two for even n."""
    n = len(rows)
    low, high = ordered(rows, ((n - 1) // 2, n // 2))
    return 0.5 * low + 0.5 * high  # halves first: no overflow
