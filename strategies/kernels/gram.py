"""Inner products and distances of all pairs of rows, accurate for rows that are nearly alike.

The distance of such rows is a difference of large squares. float64 keeps it if the rows are
centred first; float32 products do not, however the columns are cut and added up.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 1 << 18  # values that are float64 at a time: they stay in a cache
BLOCK = 32  # rows whose products with those before them are not computed again
NEAR = 1e-5  # of the rows' squared norms: below this a squared distance has lost 5 digits


def squared_distances(rows: Tensor) -> Tensor:
    """||x_i - x_j||^2: float [n, N] -> float64 [n, n], symmetric, zero diagonal.

    Relative error about 1e-11 in all pairs: rows that are much nearer to one another than to the
    mean of all (near-duplicates, or all but an outlier) are computed anew around their own mean.
    """
    product = centred_gram(rows)
    distances, norms = distances_of(product), product.diagonal()
    for group in _groups(distances < NEAR * (norms[:, None] + norms)):
        if len(group) < len(rows):
            distances[group[:, None], group] = squared_distances(rows[group])
    return distances


def centred_gram(rows: Tensor, centre: Tensor | None = None) -> Tensor:
    """<x_i - c, x_j - c>: float [n, N] and [N] -> float64 [n, n], symmetric.

    centre: c; the mean of the rows if None.
    """
    n = len(rows)
    product = torch.zeros(n, n, dtype=torch.float64, device=rows.device)
    width = max(1 << 10, CHUNK // n) if rows.device.type == "cpu" else 1 << 16
    for start in range(0, rows.shape[1], width):
        part = rows[:, start : start + width].to(torch.float64, copy=True)
        middle = part.mean(dim=0) if centre is None else centre[start : start + width].to(part)
        part -= middle
        for i in range(0, n, BLOCK):
            product[i : i + BLOCK, i:].addmm_(part[i : i + BLOCK], part[i:].T)
    upper = product.triu()
    return upper + upper.triu(1).T


def distances_of(product: Tensor) -> Tensor:
    """Squared distances from inner products: float64 [n, n], zero diagonal, never negative."""
    norms = product.diagonal()
    distances = (norms[:, None] + norms - 2 * product).clamp(min=0.0)
    return distances.fill_diagonal_(0.0)


def reference(rows: Tensor) -> Tensor:
    """`squared_distances`, pair by pair."""
    exact = rows.to(torch.float64)
    return torch.stack([(exact - row).square().sum(dim=1) for row in exact])


def _groups(near: Tensor) -> Iterator[Tensor]:
    """Connected components, of two or more, of a relation bool [n, n]: their members, ascending."""
    left = near.sum(dim=1) > 1  # near to another row than itself
    while left.any():
        group = torch.zeros_like(left)
        grown = group.index_fill(0, left.nonzero()[0], True)
        while (grown != group).any():
            group, grown = grown, grown | near[grown].any(dim=0)
        left &= ~group
        yield group.nonzero().squeeze(-1)
