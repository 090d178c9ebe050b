import numpy as np
import pytest

from signfed.strategies.core.codecs import TopKCodec

# 10 coordinates, K = 4: 9, -8, 7 and the first of the two 6s
VECTOR = np.array([1.0, -8.0, 0.5, 9.0, -6.0, 0.0, 2.0, 6.0, 7.0, -3.0], np.float32)
SENT = {1: -8.0, 3: 9.0, 4: -6.0, 8: 7.0}


def gradient(n_coordinates, seed=0):
    return np.random.default_rng(seed).standard_normal(n_coordinates).astype(np.float32)


def test_layout_of_a_row():
    row = TopKCodec(0.4).encode(VECTOR)
    assert row.dtype == np.uint8
    #                        coordinates 7..0    9, 8
    assert row[:2].tolist() == [0b00011010, 0b00000001]
    assert row[2:].tobytes() == np.array([-8.0, 9.0, -6.0, 7.0], "<f4").tobytes()
    # IEEE 754, least significant byte first: -8 is c1000000, 9 is 41100000
    assert row[2:10].tolist() == [0, 0, 0, 0xC1, 0, 0, 0x10, 0x41]
    decoded = TopKCodec(0.4).decode(row, 10)
    assert decoded.dtype == np.float32
    assert decoded.tolist() == [SENT.get(k, 0.0) for k in range(10)]


@pytest.mark.parametrize(
    "fraction, n_coordinates, count",
    [
        (0.1, 10, 1),
        (0.1, 11, 2),
        (0.1, 20, 2),
        (0.1, 1, 1),
        (0.1, 9610, 961),
        (0.1, 582_026, 58_203),
        (0.07, 100, 7),  # 0.07 * 100 is 7.000000000000001 in binary
        (0.29, 100, 29),  # and 0.29 * 100 is 28.999999999999996
        (0.5, 7, 4),
        (1.0, 7, 7),
        (1e-6, 5, 1),
    ],
)
def test_count_and_length(fraction, n_coordinates, count):
    codec = TopKCodec(fraction)
    assert codec.count(n_coordinates) == count
    length = (n_coordinates + 7) // 8 + 4 * count
    assert codec.length(n_coordinates) == length
    assert len(codec.encode(gradient(n_coordinates))) == length


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.0001, np.nan, np.inf])
def test_a_fraction_that_cannot_be(fraction):
    with pytest.raises(ValueError, match=r"fraction: expected a number in \(0, 1\], got"):
        TopKCodec(fraction)


def test_of_equal_magnitudes_the_lower_coordinate_is_sent():
    codec = TopKCodec(0.4)
    for vector in ([3, -3, 3, -3, 3], [-3, 3, -3, 3, -3]):
        row = codec.encode(np.array(vector, np.float32))
        assert codec.decode(row, 5).tolist() == [vector[0], vector[1], 0, 0, 0]
    # Long enough for a sort that is not stable to show itself.
    row = TopKCodec(0.1).encode(np.ones(1000, np.float32))
    assert np.flatnonzero(TopKCodec(0.1).decode(row, 1000)).tolist() == list(range(100))


def test_zeros_are_sent_when_there_is_nothing_else():
    codec = TopKCodec(0.5)
    row = codec.encode(np.array([0.0, -0.0, 0.0, 5.0], np.float32))
    assert row[0] == 0b1001 and codec.fault(row, 4) is None
    assert codec.decode(row, 4).tolist() == [0, 0, 0, 5]


@pytest.mark.parametrize("n_coordinates", [*range(1, 18), 1003])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 1.0])
def test_what_is_sent_survives_the_wire(fraction, n_coordinates):
    codec, vector = TopKCodec(fraction), gradient(n_coordinates)
    row = codec.encode(vector)
    assert codec.fault(row, n_coordinates) is None
    decoded = codec.decode(row, n_coordinates)
    sent = decoded != 0
    assert sent.sum() == codec.count(n_coordinates)
    assert decoded[sent].tobytes() == vector[sent].tobytes()
    assert np.abs(vector[sent]).min() >= np.abs(vector[~sent]).max(initial=0.0)
    # Nothing is lost or added by a second trip.
    assert codec.encode(decoded).tobytes() == row.tobytes()


def test_everything_is_sent_at_fraction_1():
    vector = gradient(13)
    codec = TopKCodec(1.0)
    assert codec.decode(codec.encode(vector), 13).tobytes() == vector.tobytes()


@pytest.mark.parametrize("bits", [0b00011011_1, 0b00011000_1, 0, 0b11111111_1])
def test_another_number_of_coordinates_is_a_fault(bits):
    """Else a sender could put values where its bitmap says nothing, or name more than it sends."""
    row = TopKCodec(0.4).encode(VECTOR)
    row[0], row[1] = bits >> 1, bits & 1
    assert TopKCodec(0.4).fault(row, 10) == "wrong-count"


def test_other_coordinates_of_the_right_number_are_none():
    row = TopKCodec(0.4).encode(VECTOR)
    row[0], row[1] = 0b00001111, 0
    assert TopKCodec(0.4).fault(row, 10) is None
    assert TopKCodec(0.4).decode(row, 10).tolist() == [-8, 9, -6, 7, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("bit", range(2, 8))
def test_padding_bits_are_a_fault(bit):
    """Moved there or added there: a bit beyond N is never counted."""
    for moved in (False, True):
        row = TopKCodec(0.4).encode(VECTOR)
        row[1] |= 1 << bit
        row[0] &= 0b00011000 if moved else 0xFF
        assert TopKCodec(0.4).fault(row, 10) == "padding-bits"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_non_finite_value_is_a_fault(place, value):
    row = TopKCodec(0.4).encode(VECTOR)
    row[2 + 4 * place : 6 + 4 * place] = np.array([value], "<f4").view(np.uint8)
    assert TopKCodec(0.4).fault(row, 10) == "non-finite"


def test_an_infinite_gradient_does_not_pass_as_a_finite_row():
    vector = VECTOR.copy()
    vector[5] = -np.inf
    row = TopKCodec(0.4).encode(vector)
    assert TopKCodec(0.4).fault(row, 10) == "non-finite"


def test_something_is_always_sent():
    assert TopKCodec(1e-14).count(9610) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_sent_and_refused(value):
    """It must not stay hidden among what is not sent."""
    codec = TopKCodec(0.5)
    row = codec.encode(np.array([3.0, value, 2.0, 1.0], np.float32))
    assert codec.fault(row, 4) == "non-finite"
