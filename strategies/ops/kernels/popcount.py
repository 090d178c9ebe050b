"""How many bits of each row differ from the decoded vector, in all or block by block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from signfed.strategies.ops.kernels import bits

CHUNK = 1 << 20  # bytes of rows at a time: they stay in a cache
WORD = np.dtype("<u8")  # 64 coordinates; little-endian as the bits are


def disagreements(packed: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Differing bits per row: uint8 [n, W] and [W] -> int64 [n].

    >>> disagreements(np.array([[0b110], [0b011]], np.uint8), np.array([0b111], np.uint8))
    array([1, 1])
    """
    return np.bitwise_count(packed ^ decoded).sum(axis=1, dtype=np.int64)


def block_disagreements(
    packed: np.ndarray, decoded: np.ndarray, edges: Sequence[int]
) -> np.ndarray:
    """Differing bits per row and block: uint8 [n, W] and [W] -> int64 [n, blocks].

    edges: ascending, blocks + 1 of them; block k is edges[k] <= coordinate < edges[k + 1]. They
    need not lie between bytes.
    """
    n, width = packed.shape
    edges = np.asarray(edges, np.int64)
    at, masks = edges // 64, (np.uint64(1) << (edges % 64).astype(np.uint64)) - np.uint64(1)
    padded = (width // WORD.itemsize + 1) * WORD.itemsize  # a word more, for the last edge
    step = max(1, CHUNK // padded)
    differ = np.zeros((min(step, n), padded), np.uint8)
    counts = np.empty((n, len(edges) - 1), np.int64)
    for start in range(0, n, step):
        rows, found = packed[start : start + step], counts[start : start + step]
        words = differ[: len(rows)].view(WORD)
        np.bitwise_xor(rows, decoded, out=differ[: len(rows), :width])
        ones = np.bitwise_count(words)
        for block, (first, last) in enumerate(pairwise(at.tolist())):
            found[:, block] = ones[:, first:last].sum(axis=1, dtype=np.uint32)
        # The words that an edge cuts: their lower part belongs to the block before the edge.
        found += np.diff(np.bitwise_count(words[:, at] & masks).astype(np.int64), axis=1)
    return counts


def reference(packed: np.ndarray, decoded: np.ndarray, edges: Sequence[int]) -> np.ndarray:
    """`block_disagreements`, from unpacked bits."""
    differ = bits.unpack(packed ^ decoded, 8 * len(decoded))
    parts = [differ[:, a:b].sum(axis=1, dtype=np.int64) for a, b in pairwise(edges)]
    return np.stack(parts, axis=1)
