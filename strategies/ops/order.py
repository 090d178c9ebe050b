"""Order statistics of every column: a sorting network whose wires are whole rows.

A network compares rows in an order fixed in advance (Batcher's odd-even merge sort), so one
comparison is one `minimum` and one `maximum` of two rows, and those that the wanted ranks do not
depend on are left out. No column is ever gathered, no element is ever branched on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

CHUNK = 1 << 21  # values at a time: all wires of a chunk stay in a cache
Step = tuple[int, int, bool, bool]  # low wire, high wire, whether each of them is used again


def order_statistics(rows: np.ndarray, ranks: Sequence[int]) -> np.ndarray:
    """Find the values of the given ranks in each column; rank 0 is the lowest value.

    Parameters
    ----------
    rows : ndarray, float32 [n, N], without NaN
    ranks : sequence of int, from 0 to n-1

    Returns
    -------
    ndarray, float32 [len(ranks), N]
        The values of `np.sort(rows, axis=0)`, but that -0 becomes +0.

    Examples
    --------
    >>> order_statistics(np.array([[3, 1], [1, 2], [2, 9]], np.float32), [1])
    array([[2., 2.]], dtype=float32)
    """
    n, n_columns = rows.shape
    steps = network(n, tuple(ranks))
    found = np.empty((len(ranks), n_columns), np.float32)
    width = max(1 << 13, CHUNK // n)
    lanes = np.empty((n + 1, min(width, n_columns)), np.float32)
    for start in range(0, n_columns, width):
        part = rows[:, start : start + width]
        *wires, spare = lanes[:, : part.shape[1]]
        np.add(part, 0.0, out=lanes[:n, : part.shape[1]])  # and -0 + 0 is +0
        for low, high, low_used, high_used in steps:
            a, b = wires[low], wires[high]
            if low_used:
                np.minimum(a, b, out=spare)
                wires[low], spare = spare, a
            if high_used:
                np.maximum(a, b, out=b)
        for rank, row in zip(ranks, found, strict=True):
            row[start : start + width] = wires[rank]
    return found


@lru_cache(maxsize=32)
def network(n: int, ranks: tuple[int, ...]) -> list[Step]:
    """List the comparisons, in order, that put the values of these ranks on the wires so numbered.

    Parameters
    ----------
    n : int
        Number of wires.
    ranks : tuple of int
        Rank 0 is the lowest value.

    Returns
    -------
    list of Step
        None that these ranks do not depend on.

    References
    ----------
    Batcher 1968; Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M.
    """
    used, steps = set(ranks), []
    for low, high in reversed(list(_merge_sort(n))):
        if low in used or high in used:
            steps.append((low, high, low in used, high in used))
            used |= {low, high}
    return steps[::-1]


def _merge_sort(n: int) -> Iterator[tuple[int, int]]:
    run = 1
    while run < n:
        gap = run
        while gap:
            for first in range(gap % run, n - gap, 2 * gap):
                for low in range(first, min(first + gap, n - gap)):
                    if low // (2 * run) == (low + gap) // (2 * run):
                        yield low, low + gap
            gap //= 2
        run *= 2
