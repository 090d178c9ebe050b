import numpy as np
import pytest

from signfed.strategies.core.codecs import CODECS, Float32Codec, SignCodec

SIGN, FLOAT32 = SignCodec(), Float32Codec()


def gradient(n_coordinates, seed=0):
    values = np.random.default_rng(seed).standard_normal(n_coordinates).astype(np.float32)
    values[::5] = 0.0
    values[1::5] = -0.0
    return values


@pytest.mark.parametrize("n_coordinates", range(1, 18))
def test_signs_survive_the_wire(n_coordinates):
    vector = gradient(n_coordinates)
    row = SIGN.encode(vector)
    assert row.dtype == SIGN.dtype == np.uint8
    assert len(row) == SIGN.length(n_coordinates) == (n_coordinates + 7) // 8
    assert SIGN.fault(row, n_coordinates) is None
    decoded = SIGN.decode(row, n_coordinates)
    assert decoded.dtype == np.float32
    assert decoded.tolist() == [1.0 if value >= 0 else -1.0 for value in vector]


def test_layout_is_little_endian_and_zeros_are_plus():
    #                  bit 0    1     2     3     4    5     6     7 | 0    1    2
    vector = np.array([1.0, -1.0, 0.0, -0.0, -5.0, -6, -1e-40, -8, -9, 2.0, 3.0], np.float32)
    assert SIGN.encode(vector).tolist() == [0b00001101, 0b00000110]
    row = np.array([0b00010011, 0b00000100], np.uint8)
    assert SIGN.decode(row, 11).tolist() == [1, 1, -1, -1, 1, -1, -1, -1, -1, -1, 1]


@pytest.mark.parametrize("n_coordinates", range(1, 9))
@pytest.mark.parametrize("bit", range(8))
def test_padding_bits_are_a_fault(n_coordinates, bit):
    row = np.array([1 << bit], np.uint8)
    expected = "padding-bits" if bit >= n_coordinates else None
    assert SIGN.fault(row, n_coordinates) == expected
    assert SIGN.fault(np.append(np.uint8(255), row), 8 + n_coordinates) == expected


def test_float32_is_sent_as_it_is():
    vector = gradient(13)
    row = FLOAT32.encode(vector)
    assert row.tobytes() == vector.astype("<f4").tobytes()
    assert len(row) == FLOAT32.length(13) == 13
    assert FLOAT32.decode(row, 13).tobytes() == vector.tobytes()
    assert FLOAT32.fault(row, 13) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_a_fault(value):
    row = gradient(13)
    row[12] = value
    assert FLOAT32.fault(row, 13) == "non-finite"


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_coding_leaves_its_input_and_accepts_read_only_rows(codec):
    vector = gradient(13)
    vector.flags.writeable = False
    row = codec.encode(vector)
    row.flags.writeable = False  # as it comes out of a message
    decoded = codec.decode(row, 13)
    codec.fault(row, 13)
    decoded += 1.0  # a copy, not a view on the message
    assert vector.tobytes() == gradient(13).tobytes()
    assert row.tobytes() == codec.encode(vector).tobytes()
