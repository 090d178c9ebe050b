"""Vote weighted by one number per row, or per row and block of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from signfed.strategies.ops.kernels import bits

CHUNK = 1 << 19  # signs that are floats at a time, over all rows


def weighted_vote(
    packed: np.ndarray,
    weights: np.ndarray,
    n_coordinates: int,
    edges: Sequence[int] | None = None,
) -> np.ndarray:
    """sign(sum_m w_m Y_m) with sign(0) = +1, the sum in float32 and in the order of the rows.

    packed: uint8 [n, ceil(N/8)]. weights: float32 [n], or [n, blocks] with `edges`: block k is
    edges[k] <= coordinate < edges[k + 1], from 0 to N; edges need not lie between bytes.
    Returns uint8 [ceil(N/8)].

    >>> weighted_vote(np.array([[0b1], [0b10]], np.uint8), np.array([2, 1], np.float32), 2)
    array([1], dtype=uint8)
    """
    n, width = packed.shape
    weights = np.asarray(weights, np.float32).reshape(n, -1)
    edges = (0, n_coordinates) if edges is None else edges
    step = max(1 << 9, CHUNK // (8 * n))
    decoded = np.empty(width, np.uint8)
    for first in range(0, width, step):
        rows = packed[:, first : first + step]
        votes = bits.SIGNS.take(rows, axis=0, mode="clip").reshape(n, -1)
        for block, (start, stop) in enumerate(pairwise(edges)):
            start, stop = max(start - 8 * first, 0), min(stop - 8 * first, votes.shape[1])
            if start < stop:
                votes[:, start:stop] *= weights[:, block, None]
        decoded[first : first + step] = bits.pack(_sum_in_order(votes)[: n_coordinates - 8 * first])
    return decoded


def reference(
    packed: np.ndarray,
    weights: np.ndarray,
    n_coordinates: int,
    edges: Sequence[int] | None = None,
) -> np.ndarray:
    """`weighted_vote`, with a weight per coordinate."""
    lengths = [n_coordinates] if edges is None else np.diff(edges)
    score = np.zeros(n_coordinates, np.float32)
    for row, weight in zip(packed, weights.reshape(len(packed), -1), strict=True):
        weight = np.repeat(weight, lengths)
        score += np.where(bits.unpack(row, n_coordinates), weight, -weight)
    return bits.pack(score)


def _sum_in_order(votes: np.ndarray) -> np.ndarray:
    """Sum of the rows, [n, C] -> [C]. NumPy promises no order for its own `sum`."""
    score = np.zeros(votes.shape[1], np.float32)
    for row in votes:
        score += row
    return score
