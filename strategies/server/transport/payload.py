"""The array in a reply, read without a copy and without belief in what it says of itself."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from flwr.app import Array

from signfed.strategies.core.drop_reason import DropReason

MAX_HEADER = 1024  # bytes; numpy writes 128 before an array of ours


class Malformed(Exception):
    """Raised for a reply that cannot be used.

    Parameters
    ----------
    reason : DropReason
        What its workers are counted under.
    """

    def __init__(self, reason: DropReason = DropReason.MALFORMED) -> None:
        super().__init__(reason)
        self.reason = reason


def read_array(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Return the payload of a Flower Array as a read-only view, without a copy.

    Trusts neither the Array's own fields nor np.load, which allocates what a header declares.

    Parameters
    ----------
    array : Array
        From a reply.
    dtype, shape : np.dtype
        What it has to be, exactly.

    Raises
    ------
    Malformed
        When it is not; with WRONG_DTYPE or WRONG_SHAPE where that is the reason.
    """
    usual = _header(dtype, shape)
    is_usual = array.data[: len(usual)] == usual
    start = len(usual) if is_usual else _parsed(array, dtype, shape)
    if len(array.data) - start != int(np.prod(shape)) * dtype.itemsize:
        raise Malformed(DropReason.WRONG_SHAPE)
    return np.frombuffer(array.data, dtype, offset=start).reshape(shape)


@lru_cache(maxsize=16)
def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What NumPy writes before such an array: to compare it is sooner done than to parse one."""
    stream = BytesIO()
    declared = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, declared)
    return stream.getvalue()


def _parsed(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> int:
    """Where the payload starts, after a header that says the same otherwise. Raises Malformed."""
    stream = BytesIO(array.data[:MAX_HEADER])
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise Malformed
        declared = np.lib.format.read_array_header_1_0(stream, max_header_size=MAX_HEADER)
    except ValueError:
        raise Malformed from None
    found_shape, fortran_order, found_dtype = declared
    if found_dtype != dtype:
        raise Malformed(DropReason.WRONG_DTYPE)
    if found_shape != shape or fortran_order:
        raise Malformed(DropReason.WRONG_SHAPE)
    return stream.tell()
