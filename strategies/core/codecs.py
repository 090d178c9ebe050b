"""Wire forms of an update: encode and decode side by side, documented to the bit.

A codec turns one worker's float32 vector of N coordinates into one row of bytes and back. It knows
nothing of messages, and says of a foreign row what is wrong with it before anyone decodes it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.shares import share_of
from signfed.strategies.ops import bits


class Codec(Protocol):
    """One wire form of an update.

    `dtype` and `length` fix a row's exact size in bytes for N coordinates.
    `decode` may expect a row of this dtype and length without a `fault`.
    """

    name: str
    dtype: np.dtype

    def length(self, n_coordinates: int) -> int:
        """Return the number of elements of `dtype` in a row for N coordinates."""

    def encode(self, vector: np.ndarray) -> np.ndarray:
        """Make a row of `dtype` [length(N)] of a vector float32 [N]."""

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        """Return the values that a rule will work on, float32 [N].

        Parameters
        ----------
        row : ndarray of `dtype`, [length(N)]
            Without a `fault`.
        n_coordinates : int
            N.
        """

    def fault(self, row: np.ndarray, n_coordinates: int) -> DropReason | None:
        """Tell why a row of the right dtype and length must be dropped; None if it is usable.

        Parameters
        ----------
        row : ndarray of `dtype`, [length(N)]
        n_coordinates : int
            N.
        """


class SignCodec:
    """One bit per coordinate: 1 where g >= 0 (so +0 and -0 travel as +1), 0 elsewhere.

    The whole flattened vector is packed once. Bit k of byte j, counted from the least significant,
    is coordinate 8 j + k; the unused high bits of the last byte are 0. ceil(N/8) bytes.

    Parameters
    ----------
    magnitude : float
        What a bit is read as, above 0: 1 as +magnitude, 0 as -magnitude. It does not travel.

    Notes
    -----
    Deviation: none. sign(0) = +1 is what the reference packer does.

    References
    ----------
    Bernstein et al. 2018 (signSGD with majority vote).

    Examples
    --------
    >>> SignCodec().encode(np.array([1.0, -1.0, 0.0], dtype=np.float32))
    array([5], dtype=uint8)
    """

    name = "sign"
    dtype = np.dtype(np.uint8)

    def __init__(self, magnitude: float = 1.0) -> None:
        self.magnitude = magnitude

    def length(self, n_coordinates: int) -> int:
        return -(-n_coordinates // 8)

    def encode(self, vector: np.ndarray) -> np.ndarray:
        return bits.pack(vector >= 0)

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        signs = bits.signs(row, n_coordinates)
        return signs if self.magnitude == 1 else signs * np.float32(self.magnitude)

    def fault(self, row: np.ndarray, n_coordinates: int) -> DropReason | None:
        used = n_coordinates % 8
        # Refused, not masked: padding that nobody checks is a side channel and breaks digests.
        return DropReason.PADDING_BITS if used and row[-1] >> used else None


class Float32Codec:
    """The vector as it is: little-endian float32, 4 N bytes. A non-finite value is a fault."""

    name = "float32"
    dtype = np.dtype("<f4")

    def length(self, n_coordinates: int) -> int:
        return n_coordinates

    def encode(self, vector: np.ndarray) -> np.ndarray:
        return np.array(vector, dtype=self.dtype)  # a copy: rows and memory never share

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        return row.astype(np.float32)

    def fault(self, row: np.ndarray, n_coordinates: int) -> DropReason | None:
        return None if np.isfinite(row).all() else DropReason.NON_FINITE


class TopKCodec:
    """The K = ceil(fraction N) coordinates of largest magnitude: a bitmap and their values.

    ceil(N/8) bytes of bitmap in the layout of SignCodec (1 = sent), then K little-endian float32 in
    ascending order of coordinate. Of equal magnitudes the lower coordinate is sent. A bitmap costs
    1 bit per coordinate; indices would cost ceil(log2 N) bits per sent coordinate, which is more
    from fractions of about 1/20 on.

    Parameters
    ----------
    fraction : float
        In (0, 1].

    Notes
    -----
    Deviation: K is over the whole vector; the authors' code selects per layer.

    References
    ----------
    Stich et al. 2018; Park & Lee 2024, appendix A (K/N = 0.1).

    Examples
    --------
    >>> codec = TopKCodec(0.5)
    >>> row = codec.encode(np.array([1.0, -3.0, 2.0, 0.0], dtype=np.float32))
    >>> len(row), codec.decode(row, 4).tolist()
    (9, [0.0, -3.0, 2.0, 0.0])
    """

    name = "top-k"
    dtype = np.dtype(np.uint8)

    def __init__(self, fraction: float = 0.1) -> None:
        if not 0.0 < fraction <= 1.0:
            raise ValueError(f"fraction: expected a number in (0, 1], got {fraction}")
        self.fraction = fraction

    def count(self, n_coordinates: int) -> int:
        """Return K for N coordinates."""
        return max(1, share_of(n_coordinates, self.fraction))

    def length(self, n_coordinates: int) -> int:
        return -(-n_coordinates // 8) + 4 * self.count(n_coordinates)

    def encode(self, vector: np.ndarray) -> np.ndarray:
        # Not finite counts as largest: it must be sent, and refused, rather than hidden.
        magnitude = np.where(np.isfinite(vector), np.abs(vector), np.inf)
        count = self.count(len(vector))
        least = np.partition(magnitude, len(vector) - count)[len(vector) - count]
        sent = magnitude > least
        sent[np.flatnonzero(magnitude == least)[: count - int(sent.sum())]] = True
        values = np.ascontiguousarray(vector[sent], dtype="<f4")
        return np.concatenate([bits.pack(sent), values.view(np.uint8)])

    def decode(self, row: np.ndarray, n_coordinates: int) -> np.ndarray:
        sent, values = self._split(row, n_coordinates)
        vector = np.zeros(n_coordinates, np.float32)
        vector[sent] = values
        return vector

    def fault(self, row: np.ndarray, n_coordinates: int) -> DropReason | None:
        bitmap = row[: -(-n_coordinates // 8)]
        if fault := SignCodec().fault(bitmap, n_coordinates):
            return fault
        sent, values = self._split(row, n_coordinates)
        if sent.sum() != self.count(n_coordinates):
            return DropReason.WRONG_COUNT
        return None if np.isfinite(values).all() else DropReason.NON_FINITE

    def _split(self, row: np.ndarray, n_coordinates: int) -> tuple[np.ndarray, np.ndarray]:
        size = -(-n_coordinates // 8)
        sent = bits.unpack(row[:size], n_coordinates).astype(bool)
        return sent, np.frombuffer(row[size:].tobytes(), "<f4")


CODECS: dict[str, Codec] = {
    codec.name: codec for codec in (SignCodec(), Float32Codec(), TopKCodec())
}
