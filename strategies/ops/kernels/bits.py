"""Signs as bits and back: the layout of SignCodec, little-endian bits, 1 = +1, zero padding."""

from __future__ import annotations

from math import prod

import numpy as np

SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
SIGNS = SIGNS.astype(np.float32) * 2 - 1  # [256, 8]: the eight signs of every byte
SIGNS.setflags(write=False)


def pack(values: np.ndarray) -> np.ndarray:
    """float [..., N] -> uint8 [..., ceil(N/8)], 1 where the value is >= 0.

    >>> pack(np.array([1.0, -1.0, -0.0]))
    array([5], dtype=uint8)
    """
    return np.packbits(values >= 0, axis=-1, bitorder="little")


def unpack(packed: np.ndarray, n_coordinates: int) -> np.ndarray:
    """uint8 [..., ceil(N/8)] -> uint8 0/1 [..., N]."""
    return np.unpackbits(packed, axis=-1, count=n_coordinates, bitorder="little")


def signs(packed: np.ndarray, n_coordinates: int) -> np.ndarray:
    """uint8 [..., ceil(N/8)] -> float32 +1/-1 [..., N].

    One look-up per byte instead of a conversion per bit.

    >>> signs(np.array([5], np.uint8), 3)
    array([ 1., -1.,  1.], dtype=float32)
    """
    *leading, width = packed.shape
    rows, whole = packed.reshape(prod(leading), width), n_coordinates // 8
    dense = np.empty((len(rows), n_coordinates), np.float32)
    for row, values in zip(rows, dense, strict=True):
        # "clip" only spares NumPy a buffer: no byte is out of range.
        out = values[: 8 * whole].reshape(whole, 8)
        SIGNS.take(row[:whole], axis=0, out=out, mode="clip")
    if rest := n_coordinates % 8:
        dense[:, -rest:] = SIGNS[rows[:, whole], :rest]
    return dense.reshape(*leading, n_coordinates)


def reference(packed: np.ndarray, n_coordinates: int) -> np.ndarray:
    """`signs`, bit by bit."""
    dense = np.empty((*packed.shape[:-1], n_coordinates), np.float32)
    for i in range(n_coordinates):
        dense[..., i] = np.where(packed[..., i // 8] >> (i % 8) & 1, 1, -1)
    return dense
