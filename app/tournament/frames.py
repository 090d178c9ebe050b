"""What the referee and a submission's process say to one another: JSON and arrays, no pickle.

A frame is its length (8 bytes), the length of a JSON header (4 bytes), the header, and the arrays
one behind the other. Bytes that a submission sends are read here, in the referee: whatever they
are, they become plain arrays or a ValueError.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

LENGTH, HEADER = struct.Struct(">Q"), struct.Struct(">I")
KINDS = {"float32", "float64", "int64", "int32", "uint8", "bool"}
LONGEST = 1 << 28  # bytes of a frame

Said = dict[str, Any]
Arrays = dict[str, np.ndarray]


def pack(said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return a frame.

    Parameters
    ----------
    said : mapping
        JSON values by name.
    arrays : mapping
        Name -> array of one of `KINDS`.

    Raises
    ------
    ValueError
        For an array of another type.

    Examples
    --------
    >>> said, arrays = unpack(pack({"round": 3}, {"row": np.float32([1, -2])})[LENGTH.size:])
    >>> said["round"], arrays["row"].tolist()
    (3, [1.0, -2.0])
    """
    forms, parts = [], []
    for name, array in arrays.items():
        if str(array.dtype) not in KINDS:
            raise ValueError(f"{name}: expected an array of numbers; got one of {array.dtype}")
        forms.append([name, str(array.dtype), list(array.shape)])
        parts.append(np.ascontiguousarray(array).tobytes())
    header = json.dumps({"said": dict(said), "arrays": forms}).encode()
    body = b"".join([HEADER.pack(len(header)), header, *parts])
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> tuple[Said, Arrays]:
    """Return what `pack` was given.

    Parameters
    ----------
    body : bytes
        A frame without its length.

    Raises
    ------
    ValueError
        When it is none.
    """
    try:
        (length,) = HEADER.unpack_from(body)
        at = HEADER.size + length
        header = json.loads(body[HEADER.size : at])
        arrays: Arrays = {}
        for name, kind, shape in header["arrays"]:
            if kind not in KINDS or not all(isinstance(n, int) and n >= 0 for n in shape):
                raise ValueError(f"{name}: {kind} {shape}")
            dtype = np.dtype(kind)
            count = int(np.prod(shape, dtype=object))
            values = np.frombuffer(body, dtype, count, at) if count else np.empty(0, dtype)
            arrays[str(name)] = values.reshape(shape)
            at += count * dtype.itemsize
        if at != len(body) or not isinstance(header["said"], dict):
            raise ValueError("bytes are left over")
        return header["said"], arrays
    except (struct.error, ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"no frame: {error}") from error


def read(take: Callable[[int], bytes]) -> tuple[Said, Arrays]:
    """Return what the next frame holds.

    Parameters
    ----------
    take : callable
        Returns the next bytes, as many as it is told.

    Raises
    ------
    ValueError
        When what comes is no frame, or longer than `LONGEST`.
    """
    length: int
    (length,) = LENGTH.unpack(take(LENGTH.size))
    if length > LONGEST:
        raise ValueError(f"no frame: expected at most {LONGEST} bytes; got {length}")
    return unpack(take(length))
