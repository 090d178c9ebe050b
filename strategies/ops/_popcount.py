"""How many bits of each row differ from another vector, in NumPy."""

from __future__ import annotations

import numpy as np

CHUNK = 1 << 20  # bytes of rows at a time: they stay in a cache
FEW = 1 << 19  # bytes of all pairs of rows, up to which calls cost more than what they do
WORD = np.dtype("<u8")  # 64 coordinates; little-endian as the bits are


def disagreements(packed: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Count differing bits: uint8 [n, W] and [W] -> int64 [n]."""
    n, width = packed.shape
    padded = max(1, -(-width // WORD.itemsize)) * WORD.itemsize
    step = max(1, CHUNK // padded)
    differ = np.zeros((min(step, n), padded), np.uint8)
    counts = np.empty(n, np.int64)
    for start in range(0, n, step):
        rows = packed[start : start + step]
        np.bitwise_xor(rows, other, out=differ[: len(rows), :width])
        ones = np.bitwise_count(differ[: len(rows)].view(WORD))
        counts[start : start + step] = ones.sum(axis=1, dtype=np.uint32)
    return counts


def pairwise(packed: np.ndarray) -> np.ndarray:
    """Count differing bits of all pairs of rows: uint8 [n, W] -> int64 [n, n]."""
    n, width = packed.shape
    counts = np.zeros((n, n), np.int64)
    step = max(WORD.itemsize, CHUNK // max(2 * n, 1) // WORD.itemsize * WORD.itemsize)
    rows = np.zeros((n, step), np.uint8)  # aligned to words, as packed rows are not
    differ = np.empty((n, step // WORD.itemsize), WORD)
    for start in range(0, width, step):
        size = min(step, width - start)
        rows[:, :size], rows[:, size:] = packed[:, start : start + size], 0
        words = rows.view(WORD)[:, : -(-size // WORD.itemsize)]
        if n * words.nbytes <= FEW:  # each pair twice, in one call in place of n
            ones = np.bitwise_count(words[:, None] ^ words)
            counts += np.triu(ones.sum(axis=2, dtype=np.uint32))
            continue
        for i in range(n - 1):
            found = differ[: n - 1 - i, : words.shape[1]]
            np.bitwise_xor(words[i + 1 :], words[i], out=found)
            counts[i, i + 1 :] += np.bitwise_count(found).sum(axis=1, dtype=np.uint32)
    return counts + counts.T
