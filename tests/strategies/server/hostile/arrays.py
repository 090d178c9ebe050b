"""Faults of the array: its form, its header, its bytes. They exist for every codec."""

from __future__ import annotations

import numpy as np
from flwr.app import Array

from tests.strategies.server.hostile.payloads import (
    giant,
    header,
    npy,
    pickled,
    spelled,
    version_2,
)
from tests.strategies.server.hostile.turn import Turn


def _declared(turn: Turn, shape: tuple[int, ...]) -> bytes:
    """An honest dtype, another shape, the honest bytes."""
    return header(turn.rows.dtype.str, shape) + turn.rows.tobytes()


def _longer(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, rows[..., :1]], axis=-1)


def _giant(turn: Turn) -> Array:
    dtype = turn.rows.dtype
    return Array(str(dtype), turn.rows.shape, "numpy.ndarray", giant(dtype))


def _mislabelled(turn: Turn) -> Array:
    """Right bytes under fields of an Array that say something else."""
    return Array("int64", (7, 7), "pickle", npy(turn.rows))


def _respelled(turn: Turn) -> bytes:
    """The honest header as another writer may put it: no padding, so the data is not aligned."""
    rows = turn.rows
    text = f"{{'shape':{rows.shape},'fortran_order':False,'descr':'{rows.dtype.str}'}}  \n"
    return spelled(text, rows.tobytes())


# name -> (fault, what becomes of the rows); see catalogue.py
COMMON = {
    "a coordinate too few": (lambda t: [t.carries(t.rows[..., :-1])], "wrong-shape"),
    "a coordinate too many": (lambda t: [t.carries(_longer(t.rows))], "wrong-shape"),
    "a dimension too few": (lambda t: [t.carries(np.asarray(t.rows[0]))], "wrong-shape"),
    "a dimension too many": (lambda t: [t.carries(t.rows[None])], "wrong-shape"),
    "a column": (lambda t: [t.carries(t.rows.reshape(-1, 1))], "wrong-shape"),
    "more rows": (lambda t: [t.carries(np.concatenate([t.rows] * 2))], "wrong-shape"),
    "no rows": (lambda t: [t.carries(t.rows[:0])], "wrong-shape"),
    "fortran order": (
        lambda t: [t.bears(header(t.rows.dtype.str, t.rows.shape, True) + t.rows.tobytes())],
        "wrong-shape",
    ),
    "64 MB": (lambda t: [t.carries(_giant(t))], "wrong-shape"),
    "trailing bytes": (lambda t: [t.bears(npy(t.rows) + b"\0")], "wrong-shape"),
    "payload cut": (lambda t: [t.bears(npy(t.rows)[:-1])], "wrong-shape"),
    "header, no payload": (lambda t: [t.bears(npy(t.rows)[:128])], "wrong-shape"),
    "declares a terabyte": (lambda t: [t.bears(_declared(t, (1 << 20, 1 << 20)))], "wrong-shape"),
    "declares 2^64 elements": (
        lambda t: [t.bears(_declared(t, (1 << 32, 1 << 32)))],
        "wrong-shape",
    ),
    "declares a negative shape": (lambda t: [t.bears(_declared(t, (-1, 5)))], "wrong-shape"),
    "declares less than it carries": (lambda t: [t.bears(_declared(t, (1, 1)))], "wrong-shape"),
    "float64": (lambda t: [t.carries(t.rows.astype(np.float64))], "wrong-dtype"),
    "float16": (lambda t: [t.carries(t.rows.astype(np.float16))], "wrong-dtype"),
    "int64": (lambda t: [t.carries(t.rows.astype(np.int64))], "wrong-dtype"),
    "complex": (lambda t: [t.carries(t.rows.astype(np.complex64))], "wrong-dtype"),
    "booleans": (lambda t: [t.carries(t.rows > 0)], "wrong-dtype"),
    "text": (lambda t: [t.carries(np.array(["text"]))], "wrong-dtype"),
    "fields": (lambda t: [t.carries(np.zeros(3, [("a", "<f4"), ("b", "u1")]))], "wrong-dtype"),
    "pickle": (lambda t: [t.bears(pickled())], "wrong-dtype"),
    "pickle, no array": (lambda t: [t.bears(b"\x80\x04K\x01.")], "malformed"),
    "garbage": (lambda t: [t.bears(b"\x93garbage" * 200)], "malformed"),
    "no bytes": (lambda t: [t.bears(b"")], "malformed"),
    "header cut": (lambda t: [t.bears(npy(t.rows)[:40])], "malformed"),
    "header of another version": (lambda t: [t.bears(version_2(t.rows))], "malformed"),
    "header without a shape": (
        lambda t: [t.bears(spelled("{'descr': '<f4', 'fortran_order': False}"))],
        "malformed",
    ),
    "header with an unknown dtype": (
        lambda t: [
            t.bears(spelled("{'descr': 'zz9', 'fortran_order': False, 'shape': (1,)}"))
        ],
        "malformed",
    ),
    "header of 900 minus signs": (lambda t: [t.bears(spelled("-" * 900))], "malformed"),
    "header of 900 brackets": (lambda t: [t.bears(spelled("[" * 900))], "malformed"),
    "header of 60,000 bytes": (
        lambda t: [t.bears(spelled(" " * 60_000, t.rows.tobytes()))],
        "malformed",
    ),
    "the array's fields lie": (lambda t: [t.carries(_mislabelled(t))], "honest"),
    "header spelled otherwise": (lambda t: [t.bears(_respelled(t))], "honest"),
}  # fmt: skip
