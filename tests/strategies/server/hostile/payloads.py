"""Bytes that no honest client would send as an array."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from flwr.app import Array

MEGABYTE = 1 << 20


def npy(array: np.ndarray) -> bytes:
    """As Flower writes it."""
    return Array(array).data


def header(descr: object, shape: tuple[int, ...], fortran_order: bool = False) -> bytes:
    """The start of an .npy file, format 1.0."""
    buffer = io.BytesIO()
    fields = {"descr": descr, "fortran_order": fortran_order, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def spelled(text: str, data: bytes = b"") -> bytes:
    """Format 1.0 with any text for a header."""
    encoded = text.encode("latin1")
    return b"\x93NUMPY\x01\x00" + len(encoded).to_bytes(2, "little") + encoded + data


def version_2(array: np.ndarray) -> bytes:
    """The same array in numpy's format for long headers."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(2, 0))
    return buffer.getvalue()


def pickled() -> bytes:
    """An array of Python objects, which numpy stores as a pickle."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"code": print}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@lru_cache
def giant(dtype: np.dtype) -> bytes:
    """64 MB of zeros in an honest header."""
    return npy(np.zeros((1, 64 * MEGABYTE // dtype.itemsize), dtype))
