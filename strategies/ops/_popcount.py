"""How many bits of each row differ from another vector, in NumPy."""

from __future__ import annotations

import numpy as np

CHUNK = 1 << 20  # bytes of rows at a time: they stay in a cache
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
