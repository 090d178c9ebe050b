"""Faults of the values of rows, which differ from codec to codec."""

from __future__ import annotations

import numpy as np
from flwr.app import Message

from signfed.strategies.core.codecs import SignCodec
from tests.strategies.server.hostile.turn import Turn

SUBNORMAL, LARGEST = 1e-45, 3.4028235e38  # the ends of float32


def _filled(turn: Turn, value: float, at: slice = slice(None)) -> Message:
    rows = turn.rows
    rows[..., at] = value
    return turn.carries(rows)


def _bits(turn: Turn, pattern: int) -> Message:
    """Every float with this pattern of 32 bits: NaNs come in many."""
    return turn.carries(np.full(turn.rows.shape, pattern, "<u4").view("<f4"))


FLOAT32 = {
    "NaN": (lambda t: [_filled(t, np.nan)], "non-finite"),
    "one NaN": (lambda t: [_filled(t, np.nan, slice(17, 18))], "non-finite"),
    "a signalling NaN with a payload": (lambda t: [_bits(t, 0xFFA5A5A5)], "non-finite"),
    "infinity": (lambda t: [_filled(t, np.inf)], "non-finite"),
    "minus infinity": (lambda t: [_filled(t, -np.inf)], "non-finite"),
    "one infinity, at the end": (lambda t: [_filled(t, np.inf, slice(-1, None))], "non-finite"),
    "the other byte order": (lambda t: [t.carries(t.rows.astype(">f4"))], "wrong-dtype"),
    "integers in the place of floats": (lambda t: [t.carries(t.rows.view("<i4"))], "wrong-dtype"),
    "1e38": (lambda t: [_filled(t, 1e38)], "valid"),
    "-1e38": (lambda t: [_filled(t, -1e38)], "valid"),
    "the largest float": (lambda t: [_filled(t, LARGEST)], "valid"),
    "one value 1e38": (lambda t: [_filled(t, 1e38, slice(3, 4))], "valid"),
    "denormals": (lambda t: [_filled(t, SUBNORMAL)], "valid"),
    "minus zeros": (lambda t: [_filled(t, -0.0)], "valid"),
    "a thousand times the opposite": (lambda t: [t.carries(-1000 * t.rows)], "valid"),
}  # fmt: skip


def _padded(turn: Turn, bit: int) -> Message:
    rows = turn.rows
    rows[..., -1] |= 1 << bit
    return turn.carries(rows)


def _unpacked(turn: Turn) -> np.ndarray:
    return np.unpackbits(turn.rows, axis=-1, count=turn.dialect.n_coordinates, bitorder="little")


SIGN = {
    "the lowest padding bit": (
        lambda t: [_padded(t, t.dialect.n_coordinates % 8)],
        "padding-bits",
    ),
    "the highest padding bit": (lambda t: [_padded(t, 7)], "padding-bits"),
    "bits from the other end": (
        lambda t: [t.carries(np.packbits(np.ones_like(_unpacked(t)), axis=-1))],
        "padding-bits",
    ),
    "signed bytes": (lambda t: [t.carries(t.rows.view(np.int8))], "wrong-dtype"),
    "floats": (lambda t: [t.carries(_unpacked(t).astype("<f4"))], "wrong-dtype"),
    "a byte for each sign": (lambda t: [t.carries(_unpacked(t))], "wrong-shape"),
    "all minus": (lambda t: [_filled(t, 0)], "valid"),
    "every sign inverted": (
        lambda t: [t.carries(np.packbits(1 - _unpacked(t), axis=-1, bitorder="little"))],
        "valid",
    ),
}


def _split(turn: Turn) -> tuple[np.ndarray, np.ndarray]:
    """The bits of the bitmap [h, N] and the values [h, K] of top-k rows, copies."""
    n, rows = turn.dialect.n_coordinates, turn.rows
    size = SignCodec().length(n)
    bits = np.unpackbits(rows[:, :size], axis=1, count=n, bitorder="little")
    return bits, np.ascontiguousarray(rows[:, size:]).view("<f4")


def _joined(turn: Turn, bits: np.ndarray, values: np.ndarray) -> Message:
    bitmap = np.packbits(bits, axis=1, bitorder="little")
    return turn.carries(np.concatenate([bitmap, values.view(np.uint8)], axis=1))


def _values(turn: Turn, value: float, at: slice = slice(None)) -> Message:
    bits, values = _split(turn)
    values[:, at] = value
    return _joined(turn, bits, values)


def _chosen(turn: Turn, change: int) -> Message:
    """Bitmaps that name K + change coordinates, beside K values."""
    bits, values = _split(turn)
    bits[:] = 0
    bits[:, : values.shape[1] + change] = 1
    return _joined(turn, bits, values)


def _bit_beyond(turn: Turn) -> Message:
    """A coordinate N: the first bit after the bitmap's last."""
    n, rows = turn.dialect.n_coordinates, turn.rows
    rows[:, n // 8] |= 1 << n % 8
    return turn.carries(rows)


TOP_K = {
    "a coordinate beyond the last": (lambda t: [_bit_beyond(t)], "padding-bits"),
    "more coordinates than values": (lambda t: [_chosen(t, 1)], "wrong-count"),
    "fewer coordinates than values": (lambda t: [_chosen(t, -1)], "wrong-count"),
    "no coordinates": (lambda t: [_chosen(t, -_split(t)[1].shape[1])], "wrong-count"),
    "all coordinates": (lambda t: [_chosen(t, t.dialect.n_coordinates)], "wrong-count"),
    "a bitmap alone": (
        lambda t: [t.carries(t.rows[:, : SignCodec().length(t.dialect.n_coordinates)])],
        "wrong-shape",
    ),
    "values alone": (lambda t: [t.carries(_split(t)[1])], "wrong-dtype"),
    "all coordinates as floats": (
        lambda t: [t.carries(np.zeros((len(t.rows), t.dialect.n_coordinates), "<f4"))],
        "wrong-dtype",
    ),
    "NaN": (lambda t: [_values(t, np.nan)], "non-finite"),
    "one infinity, at the end": (lambda t: [_values(t, np.inf, slice(-1, None))], "non-finite"),
    "minus infinity": (lambda t: [_values(t, -np.inf)], "non-finite"),
    "1e38": (lambda t: [_values(t, 1e38)], "valid"),
    "denormals": (lambda t: [_values(t, SUBNORMAL)], "valid"),
    "other coordinates than the largest": (lambda t: [_chosen(t, 0)], "valid"),
}

OF = {"sign": SIGN, "float32": FLOAT32, "top-k": TOP_K}
