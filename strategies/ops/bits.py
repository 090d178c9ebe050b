"""The layout of packed signs, and arrays of it in NumPy.

Bit k of byte j, counted from the least significant, is coordinate 8 j + k; 1 means +1. The unused
high bits of the last byte are 0.
"""

from __future__ import annotations

from math import prod

import numpy as np

_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
SIGNS = _BITS.astype(np.float32) * 2 - 1  # [256, 8]: the eight signs of every byte
SIGNS.setflags(write=False)


def pack(ones: np.ndarray) -> np.ndarray:
    """Pack truth values, eight to a byte.

    Parameters
    ----------
    ones : ndarray of bool or uint8, shape [..., N]

    Returns
    -------
    ndarray of uint8, shape [..., ceil(N/8)]

    Examples
    --------
    >>> pack(np.array([1.0, -1.0, -0.0]) >= 0)
    array([5], dtype=uint8)
    """
    return np.packbits(ones, axis=-1, bitorder="little")


def unpack(packed: np.ndarray, n_coordinates: int) -> np.ndarray:
    """Unpack signs to zeros and ones.

    Parameters
    ----------
    packed : ndarray of uint8, shape [..., ceil(N/8)]
    n_coordinates : int
        N.

    Returns
    -------
    ndarray of uint8, shape [..., N]

    Examples
    --------
    >>> unpack(np.array([5], np.uint8), 3)
    array([1, 0, 1], dtype=uint8)
    """
    return np.unpackbits(packed, axis=-1, count=n_coordinates, bitorder="little")


def signs(packed: np.ndarray, n_coordinates: int) -> np.ndarray:
    """Unpack signs to +1 and -1.

    Parameters
    ----------
    packed : ndarray of uint8, shape [..., ceil(N/8)]
    n_coordinates : int
        N.

    Returns
    -------
    ndarray of float32, shape [..., N]

    Examples
    --------
    >>> signs(np.array([5], np.uint8), 3)
    array([ 1., -1.,  1.], dtype=float32)
    """
    # One look-up per byte costs less than a conversion per bit.
    *leading, width = packed.shape
    rows, whole = packed.reshape(prod(leading), width), n_coordinates // 8
    dense = np.empty((len(rows), n_coordinates), np.float32)
    for row, values in zip(rows, dense, strict=True):
        # mode="clip" only spares NumPy a buffer: no byte is out of range.
        out = values[: 8 * whole].reshape(whole, 8)
        SIGNS.take(row[:whole], axis=0, out=out, mode="clip")
    if rest := n_coordinates % 8:
        dense[:, -rest:] = SIGNS[rows[:, whole], :rest]
    return dense.reshape(*leading, n_coordinates)
