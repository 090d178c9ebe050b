"""Inner products and distances of all pairs of rows, accurate for rows that are nearly alike.

The distance of such rows is a difference of large squares. float64 keeps it if the rows are
centred first; float32 products do not, however the columns are cut and added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from signfed.strategies.ops.upload import uploaded

CHUNK = 1 << 18  # values that are float64 at a time: they stay in a cache
COLUMNS = 1 << 16  # that are float64 at a time on a device
NEAR = 1e-3  # of the rows' squared norms: below this a squared distance has lost 3 digits

# (rows of some columns, float64 [n, w]; which columns) -> what to take off them, [w], or None
Centre = Callable[[Any, slice], Any]


def squared_distances(rows: Tensor, read: Callable[..., list[Tensor]] | None = None) -> Tensor:
    """Compute ||x_i - x_j||^2 for all pairs of rows.

    The relative error is about 1e-12 for every pair: rows that are much nearer to one another than
    to the origin, and then than to their mean, are computed again around their own mean.

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite
    read : callable, optional
        Brings tensors to the CPU, where the distances then are: `Updates.read`.

    Returns
    -------
    Tensor, float64 [n, n]
        Symmetric, with a zero diagonal.

    Examples
    --------
    >>> squared_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    product = inner_products(rows)
    if read is not None:
        [product] = read(product)
    return _corrected(rows, product, centred=False)


def inner_products(rows: Tensor) -> Tensor:
    """Compute <x_i, x_j> for all pairs of rows.

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite

    Returns
    -------
    Tensor, float64 [n, n], symmetric
    """
    return _products(rows, lambda part, columns: None)


def centred_gram(rows: Tensor, centre: Tensor | None = None) -> Tensor:
    """Compute <x_i - c, x_j - c> for all pairs of rows.

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite
    centre : Tensor, float32 [N], optional
        c; the mean of the rows by default.

    Returns
    -------
    Tensor, float64 [n, n], symmetric
    """
    if centre is None:
        return _products(rows, lambda part, columns: part.mean(0))
    return _products(rows, lambda part, columns: centre[columns])


def distances_of(product: Tensor) -> Tensor:
    """Compute squared distances from inner products: d_ij = g_ii + g_jj - 2 g_ij.

    Parameters
    ----------
    product : Tensor, float64 [n, n]
        g, around any centre.

    Returns
    -------
    Tensor, float64 [n, n]
        With a zero diagonal, never negative.
    """
    norms = product.diagonal()
    distances = (norms[:, None] + norms - 2 * product).clamp(min=0.0)
    return distances.fill_diagonal_(0.0)


def _corrected(rows: Tensor, product: Tensor, *, centred: bool) -> Tensor:
    distances, norms = distances_of(product), product.diagonal()
    for group in _groups(distances < NEAR * (norms[:, None] + norms)):
        if len(group) < len(rows) or not centred:
            near = rows
            if len(group) < len(rows):
                near = rows.index_select(0, uploaded(group, rows.device))
            found = _corrected(near, centred_gram(near).to(product.device), centred=True)
            distances[group[:, None], group] = found
    return distances


def _products(rows: Tensor, centre: Centre) -> Tensor:
    make = _on_cpu if rows.device.type == "cpu" else _on_device
    upper = make(rows, centre).triu()
    return upper + upper.triu(1).T


def _on_cpu(rows: Tensor, centre: Centre) -> Tensor:
    """NumPy computes only one half of a product with itself, and whole lanes faster than odd rows.

    One thread, since a second one gains nothing on so few rows and slows down what comes after.
    """
    values, (n, n_columns) = rows.numpy(), rows.shape
    width, lanes = max(1 << 10, CHUNK // n), -(-n // 4) * 4
    room, product = np.zeros((lanes, min(width, n_columns))), np.zeros((lanes, lanes))
    with _blas().limit(limits=1, user_api="blas"):
        for start in range(0, n_columns, width):
            columns = slice(start, min(start + width, n_columns))
            used = room[:, : columns.stop - start]
            part = used[:n]
            np.copyto(part, values[:, columns])
            if (c := centre(part, columns)) is not None:
                part -= np.asarray(c)
            product += used @ used.T
    return torch.from_numpy(product[:n, :n])


@lru_cache(maxsize=1)  # to look for the libraries takes milliseconds
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _on_device(rows: Tensor, centre: Centre) -> Tensor:
    n, n_columns = rows.shape
    product = torch.zeros(n, n, dtype=torch.float64, device=rows.device)
    for start in range(0, n_columns, COLUMNS):
        columns = slice(start, start + COLUMNS)
        part = rows[:, columns].to(torch.float64, copy=True)
        if (c := centre(part, columns)) is not None:
            part -= c.to(part)
        product.addmm_(part, part.T)
    return product


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


def middles(values: Tensor) -> Tensor:
    """Return the median of each row, of an even number the lower one.

    PyTorch's own, which tells the place besides, has no deterministic form on a GPU.

    Parameters
    ----------
    values : Tensor [n, k], without NaN

    Returns
    -------
    Tensor [n]

    Examples
    --------
    >>> middles(torch.tensor([[3.0, 1.0, 2.0, 9.0]]))
    tensor([2.])
    """
    return values.sort(dim=1).values[:, (values.shape[1] - 1) // 2]
