"""Votes weighted by one number per row, in NumPy."""

from __future__ import annotations

import numpy as np

from signfed.strategies.ops import bits

CHUNK = 1 << 19  # signs that are floats at a time, over all rows


def weighted_vote(packed: np.ndarray, weights: np.ndarray, n_coordinates: int) -> np.ndarray:
    """Return sign(sum_m w_m Y_m) with sign(0) = +1: uint8 [n, W] and float32 [n] -> uint8 [W]."""
    n, width = packed.shape
    step = max(1 << 9, CHUNK // (8 * n))
    decoded = np.empty(width, np.uint8)
    for first in range(0, width, step):
        rows = packed[:, first : first + step]
        votes = bits.SIGNS.take(rows, axis=0, mode="clip").reshape(n, -1)
        votes *= weights[:, None]
        score = _sum_in_order(votes)[: n_coordinates - 8 * first]
        decoded[first : first + step] = bits.pack(score >= 0)
    return decoded


def _sum_in_order(votes: np.ndarray) -> np.ndarray:
    """Sum the rows, [n, C] -> [C], in their order, which NumPy does not promise for `sum`."""
    score = np.zeros(votes.shape[1], np.float32)
    for row in votes:
        score += row
    return score
