"""Wire forms of an update: encode and decode side by side, documented to the bit.

A codec turns one worker's float32 vector of N coordinates into one row of bytes and back. It knows
nothing of messages, and says of a foreign row what is wrong with it before anyone decodes it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Codec(Protocol):
    """One wire form. `dtype` and `length` fix a row's exact size in bytes for N coordinates."""

    name: str
    dtype: np.dtype

    def length(self, n_coordinates: int) -> int:
        """Number of elements of `dtype` in a row for N coordinates."""

    def encode(self, vector: np.ndarray) -> np.ndarray:
        """float32 [N] -> `dtype` [length(N)]."""

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        """`dtype` [length(N)] -> float32 [N], the values that a rule will work on."""

    def fault(self, row: np.ndarray, n_coordinates: int) -> str | None:
        """Why a row of the right dtype and length cannot be used; None when it can."""


class SignCodec:
    """One bit per coordinate: 1 where g >= 0 (so +0 and -0 travel as +1), 0 elsewhere.

    The whole flattened vector is packed once. Bit k of byte j, counted from the least significant,
    is coordinate 8 j + k; the unused high bits of the last byte are 0. ceil(N/8) bytes.

    >>> SignCodec().encode(np.array([1.0, -1.0, 0.0], dtype=np.float32))
    array([5], dtype=uint8)

    Reference: Bernstein et al. 2018 (signSGD with majority vote).
    Deviation from the paper: none; sign(0) = +1 is what the reference packer does.
    """

    name = "sign"
    dtype = np.dtype(np.uint8)

    def length(self, n_coordinates: int) -> int:
        return -(-n_coordinates // 8)

    def encode(self, vector: np.ndarray) -> np.ndarray:
        return np.packbits(vector >= 0, bitorder="little")

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        bits = np.unpackbits(row, count=n_coordinates, bitorder="little")
        return bits.astype(np.float32) * 2.0 - 1.0

    def fault(self, row: np.ndarray, n_coordinates: int) -> str | None:
        used = n_coordinates % 8
        # Refused, not masked: padding that nobody checks is a side channel and breaks digests.
        return "padding-bits" if used and row[-1] >> used else None


class Float32Codec:
    """The vector as it is: little-endian float32, 4 N bytes. A non-finite value is a fault."""

    name = "float32"
    dtype = np.dtype("<f4")

    def length(self, n_coordinates: int) -> int:
        return n_coordinates

    def encode(self, vector: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(vector, dtype=self.dtype)

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        return row.astype(np.float32)

    def fault(self, row: np.ndarray, n_coordinates: int) -> str | None:
        return None if np.isfinite(row).all() else "non-finite"


CODECS: dict[str, Codec] = {codec.name: codec for codec in (SignCodec(), Float32Codec())}
