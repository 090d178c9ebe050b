"""How many bits of each row differ from another vector, block by block, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

CHUNK = 1 << 20  # bytes of rows at a time: they stay in a cache
WORD = np.dtype("<u8")  # 64 coordinates; little-endian as the bits are


def disagreements(packed: np.ndarray, other: np.ndarray, edges: Sequence[int]) -> np.ndarray:
    """Count differing bits: uint8 [n, W] and [W] -> int64 [n, blocks].

    Block k is edges[k] <= coordinate < edges[k + 1]; edges ascend and may lie inside a byte.
    """
    n, width = packed.shape
    cuts = np.asarray(edges, np.int64)
    at, masks = cuts // 64, (np.uint64(1) << (cuts % 64).astype(np.uint64)) - np.uint64(1)
    padded = (width // WORD.itemsize + 1) * WORD.itemsize  # a word more, for the last edge
    step = max(1, CHUNK // padded)
    differ = np.zeros((min(step, n), padded), np.uint8)
    counts = np.empty((n, len(cuts) - 1), np.int64)
    for start in range(0, n, step):
        rows, found = packed[start : start + step], counts[start : start + step]
        words = differ[: len(rows)].view(WORD)
        np.bitwise_xor(rows, other, out=differ[: len(rows), :width])
        ones = np.bitwise_count(words)
        for block, (first, last) in enumerate(pairwise(at.tolist())):
            found[:, block] = ones[:, first:last].sum(axis=1, dtype=np.uint32)
        # The words that an edge cuts: their lower part belongs to the block before the edge.
        cut = np.bitwise_count(words[:, at] & masks).astype(np.int64)
        found += cut[:, 1:] - cut[:, :-1]
    return counts
