"""Votes counted on packed bits, in NumPy: counters made of bits, eight coordinates to a byte.

Adders work on whole rows: three rows of weight 2^k become their sum, weight 2^k, and their carry,
weight 2^(k+1), with five bitwise operations. n rows are reduced to about log2(n) rows, the binary
digits ("planes") of every coordinate's number of votes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CHUNK = 3 << 19  # bytes of rows at a time: they and the carries stay in a cache


def at_least(packed: np.ndarray, votes: Sequence[int]) -> list[np.ndarray]:
    """Return, for each of some numbers, where at least so many rows say +1.

    Parameters
    ----------
    packed : ndarray of uint8, shape [n, W]
        Padding that is zero in all rows stays zero.
    votes : sequence of int
        Each from 1 to n; the rows are counted once for all of them.

    Returns
    -------
    list of ndarray of uint8, shape [W]
    """
    width = packed.shape[1]
    pieces = max(1, -(-packed.size // CHUNK))  # alike: a short last one costs nearly a whole one
    if pieces == 1 < len(packed):  # a single row would come out as itself, not as a copy
        return _at_least(packed, votes)
    step = max(1 << 14, -(-width // pieces // 64) * 64)  # whole cache lines
    found = np.empty((len(votes), width), np.uint8)
    for start in range(0, width, step):
        columns = slice(start, start + step)
        for row, decided in zip(found, _at_least(packed[:, columns], votes), strict=True):
            row[columns] = decided
    return list(found)


def _at_least(rows: np.ndarray, votes: Sequence[int]) -> list[np.ndarray]:
    """Where the number of ones is at least each of `votes`, 1 <= votes <= n."""
    lows = [(number & -number).bit_length() - 1 for number in votes]
    lowest = min(lows)
    planes, found = _planes(rows, lowest), []
    for number, low in zip(votes, lows, strict=True):
        # Digits below the last 1 of the number do not matter.
        result, *higher = planes[low - lowest :]
        for k, plane in enumerate(higher, low + 1):
            result = result & plane if number >> k & 1 else result | plane
        found.append(result)
    return found


def _planes(rows: np.ndarray, lowest: int) -> list[np.ndarray]:
    """Digits `lowest` and up of the number of ones: uint8 [n, W] -> [W] each."""
    planes, level, digit = [], rows, 0
    width = rows.shape[1]
    while len(level):
        carries = np.empty((len(level) // 2, width), np.uint8)
        spare = np.empty((len(level) // 3, width), np.uint8)
        done = 0
        while k := len(level) // 3:
            a, b, c = level[:k], level[k : 2 * k], level[2 * k : 3 * k]
            if level is rows:  # the caller's: not to be written to
                rest = np.empty((len(level) - 2 * k, width), np.uint8)
                rest[k:] = level[3 * k :]
            else:
                rest = level[2 * k :]
            total = rest[:k] if len(rest) > 1 or digit >= lowest else None
            _full_add(a, b, c, total, carries[done : done + k], spare[:k])
            level, done = rest, done + k
        if len(level) == 2:
            np.bitwise_and(level[0], level[1], out=carries[done])
        if digit >= lowest:
            planes.append(level[0] ^ level[1] if len(level) == 2 else level[0])
        level, digit = carries, digit + 1
    return planes


def _full_add(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, total: np.ndarray | None, carry: np.ndarray,
    spare: np.ndarray,
) -> None:  # fmt: skip
    """total + 2 carry = a + b + c, bit by bit; `total` may be `c` itself, or not wanted."""
    np.bitwise_xor(b, c, out=spare)
    np.bitwise_xor(a, b, out=carry)
    if total is not None:
        np.bitwise_xor(carry, c, out=total)
    np.bitwise_and(carry, spare, out=carry)
    np.bitwise_xor(carry, b, out=carry)
