"""Votes counted on packed bits, in NumPy: counters made of bits, eight coordinates to a byte.

Adders work on whole rows: three rows of weight 2^k become their sum, weight 2^k, and their carry,
weight 2^(k+1), with five bitwise operations. n rows are reduced to about log2(n) rows, the binary
digits ("planes") of every coordinate's number of votes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

CHUNK = 3 << 19  # bytes of rows at a time: they and the carries stay in a cache


def at_least(packed: np.ndarray, votes: int) -> np.ndarray:
    """Return where at least so many rows say +1: uint8 [n, W] -> uint8 [W], 1 <= votes <= n.

    Padding that is zero in all rows stays zero.
    """
    return _by_columns(packed, _at_least, votes)


def at_least_each(packed: np.ndarray, votes: Sequence[int]) -> np.ndarray:
    """Return the same for several numbers of votes, counted once: uint8 [n, W] -> [k, W]."""
    decided = np.empty((len(votes), packed.shape[1]), np.uint8)
    for columns in _columns(packed):
        planes = _planes(packed[:, columns], 0)
        for row, least in zip(decided, votes, strict=True):
            row[columns] = _reach(planes, 0, least)
    return decided


def exactly(packed: np.ndarray, votes: int) -> np.ndarray:
    """Return where exactly so many rows say +1: uint8 [n, W] -> uint8 [W], 1 <= votes <= n."""
    return _by_columns(packed, _equal, votes)


def _by_columns(
    packed: np.ndarray, decide: Callable[[np.ndarray, int], np.ndarray], votes: int
) -> np.ndarray:
    if packed.size <= CHUNK and len(packed) > 1:  # a single row would come out as itself, no copy
        return decide(packed, votes)
    decided = np.empty(packed.shape[1], np.uint8)
    for columns in _columns(packed):
        decided[columns] = decide(packed[:, columns], votes)
    return decided


def _columns(packed: np.ndarray) -> Iterator[slice]:
    width = packed.shape[1]
    pieces = max(1, -(-packed.size // CHUNK))  # alike: a short last one costs nearly a whole one
    step = max(1 << 14, -(-width // pieces // 64) * 64)  # whole cache lines
    for start in range(0, width, step):
        yield slice(start, start + step)


def _at_least(rows: np.ndarray, votes: int) -> np.ndarray:
    """Where the number of ones is >= votes, 1 <= votes <= n."""
    lowest = _lowest(votes)
    return _reach(_planes(rows, lowest), lowest, votes)


def _reach(planes: Sequence[np.ndarray], first: int, votes: int) -> np.ndarray:
    """Where the number with these binary digits, from digit `first` up, is >= votes."""
    lowest = _lowest(votes)
    result, *higher = planes[lowest - first :]
    for k, plane in enumerate(higher, lowest + 1):
        result = result & plane if votes >> k & 1 else result | plane
    return result


def _lowest(votes: int) -> int:
    """The place of the last 1 of a number: digits below it do not matter."""
    return (votes & -votes).bit_length() - 1


def _equal(rows: np.ndarray, votes: int) -> np.ndarray:
    """Where the number of ones is `votes`."""
    differs = np.zeros_like(rows[0])
    for k, plane in enumerate(_planes(rows, 0)):
        differs |= ~plane if votes >> k & 1 else plane
    return ~differs


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
