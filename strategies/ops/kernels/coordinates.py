"""Vote weighted by one number per row and coordinate, looked up by how often the row was outvoted.

State: a 16-bit count per row and coordinate. Its weight comes from a table per row, so an [n, N]
matrix of floats never exists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signfed.strategies.ops.kernels import bits

CHUNK = 1 << 16  # coordinates at a time, a multiple of 8


def vote_and_count(
    packed: np.ndarray,
    counts: Sequence[np.ndarray],
    tables: Sequence[np.ndarray],
    n_coordinates: int,
) -> np.ndarray:
    """U = sign(sum_m w_m Y_m), w_mn = tables[m][counts[m][n]]; then counts[m][n] += Y_mn != U_n.

    sign(0) = +1; the sum is in float32 and in the order of the rows. One pass over the counts.
    packed: uint8 [n, ceil(N/8)]. counts: per row, uint16 [N], CHANGED IN PLACE. tables: per row,
    float32, longer than the row's largest count.
    Returns U, uint8 [ceil(N/8)].
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
        verdict = bits.pack(total)
        decoded[start // 8 : start // 8 + len(verdict)] = verdict
        _add(rows ^ verdict, counts, start, stop)
    return decoded


def count_disagreements(
    packed: np.ndarray, decoded: np.ndarray, counts: Sequence[np.ndarray], n_coordinates: int
) -> None:
    """counts[m][n] += Y_mn != U_n, for a U decoded otherwise: CHANGES uint16 [N] per row."""
    for start in range(0, n_coordinates, CHUNK):
        stop = min(start + CHUNK, n_coordinates)
        part = slice(start // 8, -(-stop // 8))
        _add(packed[:, part] ^ decoded[part], counts, start, stop)


def reference(
    packed: np.ndarray,
    counts: Sequence[np.ndarray],
    tables: Sequence[np.ndarray],
    n_coordinates: int,
) -> np.ndarray:
    """`vote_and_count`, row by row over all coordinates."""
    score = np.zeros(n_coordinates, np.float32)
    for row, count, table in zip(packed, counts, tables, strict=True):
        weight = table[count]
        score += np.where(bits.unpack(row, n_coordinates), weight, -weight)
    for row, count in zip(packed, counts, strict=True):
        count += bits.unpack(row, n_coordinates) != (score >= 0)
    return bits.pack(score)


def _add(differ: np.ndarray, counts: Sequence[np.ndarray], start: int, stop: int) -> None:
    for row, count in zip(differ, counts, strict=True):
        count[start:stop] += bits.unpack(row, stop - start)
