"""The maths that float rules share, on rows float32 [n, N]; no function changes its input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.ops.gram import centred_gram, distances_of, inner_products, middles
from signfed.strategies.ops.order import order_statistics
from signfed.strategies.ops.upload import uploaded

MANY = 1 << 20  # columns, from which on they are drawn in a faster way
PIECE = 1 << 16  # columns, whose squares a CPU adds up in float32 to seven digits
FAR = 1e6  # a row this much farther out than the central one spoils the common centre


def combine(rows: Tensor, weights: Tensor) -> Tensor:
    """Add up weighted rows: sum_i w_i x_i.

    Parameters
    ----------
    rows : Tensor, float [n, N], finite
    weights : Tensor, float [n]

    Returns
    -------
    Tensor [N], in the dtype of the rows
    """
    return weights.to(rows) @ rows


def average(rows: Tensor, chosen: Tensor) -> Tensor:
    """Average the chosen rows.

    Parameters
    ----------
    rows : Tensor, float [n, N], finite
    chosen : Tensor, int64 [k]
        Indices, at least one, on the CPU or where the rows are. A single row is returned bit by
        bit.

    Returns
    -------
    Tensor [N], in the dtype of the rows
    """
    if len(chosen) == 1:
        return rows[chosen[0]].clone()
    # Where the indices are, and sent on from there: a device would wait for indices of the CPU.
    picked = torch.zeros(len(rows), dtype=rows.dtype, device=chosen.device)
    picked = uploaded(picked.index_fill_(0, chosen, 1.0), rows.device)
    return picked @ rows / len(chosen)  # without a copy of the rows


def rounded(scores: Tensor) -> Tensor:
    """Round to 30 binary digits, since scores of copies of one row differ by the order of sums.

    Parameters
    ----------
    scores : Tensor, float64 of any shape

    Returns
    -------
    Tensor, float64 of the same shape
    """
    digits, exponent = torch.frexp(scores)
    return torch.ldexp((digits * 2**30).round() / 2**30, exponent)


def lowest(scores: Tensor, k: int) -> Tensor:
    """Find the k lowest scores; of equal ones, as `rounded` sees them, the first.

    Parameters
    ----------
    scores : Tensor, float64 [n]
    k : int, from 1 to n

    Returns
    -------
    Tensor, int64 [k]

    Examples
    --------
    >>> lowest(torch.tensor([3.0, 1.0, 1.0 - 1e-12, 0.5], dtype=torch.float64), 2)
    tensor([3, 1])
    """
    return rounded(scores).argsort(stable=True)[:k]


def norms(rows: Tensor) -> Tensor:
    """Compute the Euclidean norm of each row.

    Squares add up in float32, which is 50 times faster than float64, on a CPU in pieces whose norms
    add up in float64: to a relative error of about 1e-6. A row whose squares leave the range of
    float32 is computed again in float64.

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite

    Returns
    -------
    Tensor, float64 [n]
    """
    return mended(quick_norms(rows), rows)


def quick_norms(rows: Tensor) -> Tensor:
    """Return the norm of each row, float64 [n], exact to float32 where its squares are in range."""
    if rows.device.type != "cpu" or rows.shape[1] <= PIECE:
        return torch.linalg.vector_norm(rows, dim=1).to(torch.float64)
    pieces = [torch.linalg.vector_norm(piece, dim=1) for piece in rows.split(PIECE, dim=1)]
    return torch.linalg.vector_norm(torch.stack(pieces).to(torch.float64), dim=0)


def mended(found: Tensor, rows: Tensor) -> Tensor:
    """Compute norms anew, in place, where squares left the range of float32.

    Parameters
    ----------
    found : Tensor, float64 [n]
        Of `quick_norms`; on a device it is faster to bring them to the CPU first.
    rows : Tensor, float32 [n, N], finite

    Returns
    -------
    Tensor, float64 [n]
    """
    for i in (~((found > 1e-15) & (found < 1e18))).nonzero().flatten().tolist():
        found[i] = torch.linalg.vector_norm(rows[i], dtype=torch.float64)
    return found


def cosines(rows: Tensor, reference: Tensor | None) -> np.ndarray:
    """Compute the cosine of each row with the reference, or of all pairs of rows without one.

    <x_i, r> / (||x_i|| ||r||), and 0 with a zero vector

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    reference : Tensor, float32 [N], or None
        r.

    Returns
    -------
    ndarray, float64 [n], or [n, n] without a reference

    Examples
    --------
    >>> cosines(torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([0.0, 1.0]))
    array([0.8, 1. ])
    """
    if reference is not None:
        rows = torch.cat([rows, reference.to(rows)[None]])
    product = inner_products(rows)
    lengths = product.diagonal().sqrt().clamp(min=1e-300)
    found = (product / lengths / lengths[:, None]).clamp(-1.0, 1.0).cpu().numpy()
    return found if reference is None else found[:-1, -1]


def central_gram(rows: Tensor) -> Tensor:
    """Compute the inner products of the rows around a centre near most of them.

    Distances between rows that are nearly alike are differences of large squares unless the
    centre lies near them, so one row at 1e30 must not move it.

    Parameters
    ----------
    rows : Tensor, float32 [n, N], finite

    Returns
    -------
    Tensor, float64 [n, n]
    """
    product = centred_gram(rows)
    typical = middles(distances_of(product))
    centre = int(typical.argmin())
    if typical.max() <= FAR * typical[centre] or len(rows) < 3:
        return product
    return centred_gram(rows, rows[centre])


def ordered(rows: Tensor, ranks: Sequence[int]) -> Tensor:
    """Find the values of these ranks in each column; rank 0 is the lowest value.

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    ranks : sequence of int, from 0 to n-1

    Returns
    -------
    Tensor, float32 [len(ranks), N]
    """
    if rows.device.type == "cpu":
        return torch.from_numpy(order_statistics(rows.numpy(), ranks))
    wanted = uploaded(torch.tensor(ranks), rows.device)
    return rows.sort(dim=0).values.index_select(0, wanted)


def coordinate_median(rows: Tensor) -> Tensor:
    """Find the median of each column, for even n the mean of the middle two values.

    Parameters
    ----------
    rows : Tensor, float32 [n, N]

    Returns
    -------
    Tensor, float32 [N]

    Examples
    --------
    >>> coordinate_median(torch.tensor([[1.0], [2.0], [4.0], [900.0]]))
    tensor([3.])
    """
    n = len(rows)
    low, high = ordered(rows, ((n - 1) // 2, n // 2))
    return 0.5 * low + 0.5 * high  # halves first, so that no sum overflows


def drawn_columns(draws: np.random.Generator, n_columns: int, k: int) -> Tensor:
    """Draw k of the columns without replacement.

    Parameters
    ----------
    draws : np.random.Generator
        What they are drawn from.
    n_columns : int
        At least k.
    k : int
        How many.

    Returns
    -------
    Tensor, int64 [k]
        In ascending order, which reads the memory of the rows faster.
    """
    if n_columns < MANY:
        return torch.from_numpy(np.sort(draws.choice(n_columns, k, replace=False, shuffle=False)))
    # One number after the other until enough differ, or so many that are left out: the same law in
    # a tenth of the time. No pass draws more than are missing.
    fewer = min(k, n_columns - k)
    drawn = np.zeros(n_columns, dtype=bool)
    while missing := fewer - np.count_nonzero(drawn):
        drawn[draws.integers(n_columns, size=missing)] = True
    return torch.from_numpy(np.flatnonzero(drawn if fewer == k else ~drawn))
