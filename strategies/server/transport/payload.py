"""The array in a reply, read without a copy and without belief in what it says of itself."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from math import prod
from typing import Literal

import numpy as np
from flwr.app import Array

from signfed.strategies.core.drop_reason import DropReason

MAX_HEADER = 1024  # bytes; numpy writes 128 before an array of ours


class Malformed(Exception):
    """A reply cannot be used.

    Attributes
    ----------
    reason : DropReason
        What its workers are counted under.
    detail : str
        What was expected, in words of ours alone, since it goes into the log.
    """

    def __init__(self, reason: DropReason = DropReason.MALFORMED, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


def read_array(
    array: Array, dtype: np.dtype, shape: tuple[int, ...], *, any_order: bool = False
) -> np.ndarray:
    """Return the payload of a Flower Array as a read-only view, if it is what was asked for.

    Trusts neither the Array's own fields nor np.load, which allocates what a header declares. No
    byte of the payload is copied.

    Parameters
    ----------
    array : Array
    dtype : dtype
    shape : tuple of int
    any_order : bool
        Whether column by column (Fortran's order) will do as well.

    Raises
    ------
    Malformed
        Also for WRONG_DTYPE and WRONG_SHAPE.
    """
    usual = _header(dtype, shape)
    is_usual = array.data[: len(usual)] == usual
    start, by_columns = (len(usual), False) if is_usual else _parsed(array, dtype, shape)
    if by_columns and not any_order:
        raise Malformed(DropReason.WRONG_SHAPE)
    if len(array.data) - start != prod(shape) * dtype.itemsize:
        raise Malformed(DropReason.WRONG_SHAPE)
    order: Literal["C", "F"] = "F" if by_columns else "C"
    return np.frombuffer(array.data, dtype, offset=start).reshape(shape, order=order)


@lru_cache(maxsize=1024)  # of another's model: a header an array
def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What NumPy writes before such an array: comparing it is faster than parsing one."""
    stream = BytesIO()
    declared = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, declared)
    return stream.getvalue()


def _parsed(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> tuple[int, bool]:
    """Where the payload starts, after a header that says the same otherwise, and if by columns.

    Raises Malformed.
    """
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
    if found_shape != shape:
        raise Malformed(DropReason.WRONG_SHAPE)
    return stream.tell(), fortran_order
