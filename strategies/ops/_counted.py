"""Votes weighted by one number per row and coordinate, in NumPy.

The weight is looked up by how often the row was outvoted in the coordinate, a 16-bit count, in a
table per row. So an [n, N] matrix of floats never exists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signfed.strategies.ops import bits

CHUNK = 1 << 16  # coordinates at a time, a multiple of 8


def vote_and_count(
    packed: np.ndarray,
    counts: Sequence[np.ndarray],
    tables: Sequence[np.ndarray],
    n_coordinates: int,
) -> np.ndarray:
    """Return U = sign(sum_m w_m Y_m), w_mn = tables[m][counts[m][n]]; count Y_mn != U_n in place.

    packed: uint8 [n, ceil(N/8)]. counts: per row, uint16 [N]. tables: per row, float32, longer than
    the row's largest count. U: uint8 [ceil(N/8)]. The counts are read and written in one pass.
    """
    decoded = np.empty(packed.shape[1], np.uint8)
    room = min(CHUNK, 8 * packed.shape[1])
    score, weight = np.empty((2, room), np.float32)
    votes = np.empty((room // 8, 8), np.float32)
    for start in range(0, n_coordinates, CHUNK):
        stop = min(start + CHUNK, n_coordinates)
        rows, size = packed[:, start // 8 : -(-stop // 8)], stop - start
        total, part = score[:size], weight[:size]
        total.fill(0)
        for row, count, table in zip(rows, counts, tables, strict=True):
            bits.SIGNS.take(row, axis=0, out=votes[: len(row)], mode="clip")
            table.take(count[start:stop], out=part, mode="clip")
            part *= votes.reshape(-1)[:size]
            total += part
        verdict = bits.pack(total >= 0)
        decoded[start // 8 : start // 8 + len(verdict)] = verdict
        _add(rows ^ verdict, counts, start, stop)
    return decoded


def count_disagreements(
    packed: np.ndarray, decoded: np.ndarray, counts: Sequence[np.ndarray], n_coordinates: int
) -> None:
    """Add Y_mn != U_n to counts[m][n] in place: uint16 [N] per row."""
    for start in range(0, n_coordinates, CHUNK):
        stop = min(start + CHUNK, n_coordinates)
        part = slice(start // 8, -(-stop // 8))
        _add(packed[:, part] ^ decoded[part], counts, start, stop)


def _add(differ: np.ndarray, counts: Sequence[np.ndarray], start: int, stop: int) -> None:
    """Add the bits of coordinates start..stop to the counts."""
    for row, count in zip(differ, counts, strict=True):
        count[start:stop] += bits.unpack(row, stop - start)
