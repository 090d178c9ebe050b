"""What NumPy's generators of many workers start with, computed for all of them at once.

A `SeedSequence` and a PCG64 for each worker take longer than what a round draws with them. Both are
published integer arithmetic (O'Neill's seed_seq, modulo 2^32, and PCG XSL RR 128/64), which NumPy
promises not to change: the streams are those of `signfed.strategies.core.seeds.generator`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from signfed.strategies.core.seeds import generator

FACTOR = 0x2360ED051FC65DA44385DF649FCCF645  # a PCG64 steps s <- FACTOR s + c modulo 2^128
FEW = 8
POOL = 4  # words of 32 bits that a SeedSequence hashes all it is given to


def _constants(first: int, factor: int, count: int) -> np.ndarray:
    found = [first]
    while len(found) < count:
        found.append(found[-1] * factor % (1 << 32))
    return np.array(found, np.uint32)[:, None]


OF_POOL = _constants(0x43B0D7E5, 0x931E8875, 1 << 6)  # each word that is hashed takes the next one
OF_STATE = _constants(0x8B51F9DD, 0x58F38DED, 2 * POOL + 1)
TO, FROM = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
OTHERS = [[other for other in range(POOL) if other != word] for word in range(POOL)]


class _Words(np.random.SeedSequence):
    """What a PCG64 is seeded with, known already."""

    def __init__(self, words: np.ndarray, *key: int) -> None:
        self._words, self._key = words, key
        self._whole: np.random.SeedSequence | None = None

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        return self._words

    def spawn(self, n_children: int) -> Any:
        """Return what NumPy's own would, for an augmentation that asks."""
        self._whole = self._whole or np.random.SeedSequence(self._key)
        return self._whole.spawn(n_children)


def generators(
    seed: int, purpose: str, workers: Sequence[int], *at: int
) -> Iterator[np.random.Generator]:
    """Make `generator(seed, purpose, worker, *at)` for each worker, in a quarter of the time.

    Parameters
    ----------
    seed, purpose
        As for `signfed.strategies.core.seeds.generator`.
    workers : sequence of int
        Whose generators.
    *at : int
        The keys after the worker, at least one: the round.

    Examples
    --------
    >>> [int(draws.integers(100)) for draws in generators(0, "batch", [3, 4], 1)]
    [57, 99]
    """
    if len(workers) < FEW:  # one by one they are faster
        yield from (generator(seed, purpose, worker, *at) for worker in workers)
        return
    named = zlib.crc32(purpose.encode())
    for worker, words in zip(workers, _seeded(seed, purpose, workers, *at), strict=True):
        yield np.random.Generator(np.random.PCG64(_Words(words, seed, named, worker, *at)))


def starts(seed: int, purpose: str, workers: Sequence[int], *at: int) -> np.ndarray:
    """Return state and increment of these generators' PCG64s, int64 [n, 4].

    Parameters
    ----------
    seed, purpose, workers, *at
        As for `generators`.

    Returns
    -------
    ndarray
        128 bits each, the low half first.
    """
    high, low, odd_high, odd_low = _seeded(seed, purpose, workers, *at).T
    odd_high, odd_low = odd_high << 1 | odd_low >> 63, odd_low << 1 | 1
    high, low = _sum(high, low, odd_high, odd_low)
    factor_high, factor_low = np.uint64(FACTOR >> 64), np.uint64(FACTOR % (1 << 64))
    high = _high(low, FACTOR % (1 << 64)) + high * factor_low + low * factor_high
    high, low = _sum(high, low * factor_low, odd_high, odd_low)
    return np.stack([low, high, odd_low, odd_high], axis=1).view(np.int64)


def _seeded(seed: int, purpose: str, workers: Sequence[int], *at: int) -> np.ndarray:
    """`SeedSequence.generate_state(4, uint64)` of each worker, uint64 [n, 4]."""
    named = zlib.crc32(purpose.encode())
    if max(seed, *workers, *at) >= 1 << 32:  # a number of more than one word
        made = [np.random.SeedSequence((seed, named, worker, *at)) for worker in workers]
        return np.array([each.generate_state(4, np.uint64) for each in made])
    given = np.empty((3 + len(at), len(workers)), np.uint32)
    given[0], given[1], given[2] = seed, named, workers
    given[3:] = np.array(at, np.uint32)[:, None]
    pool, used = _hashed(given[:POOL], OF_POOL[: POOL + 1]), POOL
    for word, others in enumerate(OTHERS):
        turned = _hashed(pool[word], OF_POOL[used : used + POOL])
        pool[others] = _mixed(pool[others], turned)
        used += POOL - 1
    for more in given[POOL:]:
        pool = _mixed(pool, _hashed(more, OF_POOL[used : used + POOL + 1]))
        used += POOL
    words = _hashed(np.concatenate([pool, pool]), OF_STATE)
    return words.T.astype("<u4", order="C").view("<u8")


def _hashed(words: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """Each word with a constant of its own and the one after it."""
    found = words ^ constants[:-1]
    found *= constants[1:]
    found ^= found >> np.uint32(16)
    return found


def _mixed(words: np.ndarray, others: np.ndarray) -> np.ndarray:
    found: np.ndarray = words * TO - others * FROM
    found ^= found >> np.uint32(16)
    return found


def _sum(
    high: np.ndarray, low: np.ndarray, more_high: np.ndarray, more_low: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The halves of a sum modulo 2^128."""
    total = low + more_low
    return high + more_high + (total < low), total


def _high(values: np.ndarray, factor: int) -> np.ndarray:
    """The high half of products of 64 bits, by products of 32."""
    by_high, by_low = np.uint64(factor >> 32), np.uint64(factor % (1 << 32))
    half, mask = np.uint64(32), np.uint64((1 << 32) - 1)
    upper, lower = values >> half, values & mask
    carried = upper * by_low + (lower * by_low >> half)
    return upper * by_high + (carried >> half) + ((lower * by_high + (carried & mask)) >> half)
