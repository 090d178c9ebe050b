import numpy as np
import pytest

from signfed.strategies.ops import _majority
from tests.strategies.ops import plain
from tests.strategies.ops.samples import FEW, ROWS, SIZES, frozen, packed_rows, same_bits, signs_of
from tests.strategies.places import PLACES, on_cpu


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_the_plain_form(place, n):
    for n_coordinates in SIZES if place is on_cpu or n <= FEW else ():
        packed = packed_rows(n, n_coordinates, agreement=0.2)
        signs = signs_of(packed, n_coordinates, place)
        assert same_bits(signs.vote(), plain.vote(packed, n_coordinates))
        ones = plain.unpack(packed, n_coordinates).sum(axis=0, dtype=int)
        numbers = (n, 1, (n + 1) // 2)
        for votes, found in zip(numbers, signs.at_least_each(*numbers), strict=True):
            assert same_bits(found, plain.pack(ones - votes))
            assert same_bits(signs.at_least(votes), plain.pack(ones - votes))
        assert same_bits(signs.bits, packed)


@pytest.mark.parametrize("n", range(1, 9))
def test_every_pattern_of_votes(n):
    """Coordinate c holds the binary digits of c: all 2^n ways in which n rows can vote."""
    votes = np.arange(2**n) >> np.arange(n)[:, None] & 1
    signs = signs_of(plain.pack(votes - 1), 2**n)
    ones, numbers = votes.sum(axis=0), range(1, n + 1)
    for least, found in zip(numbers, signs.at_least_each(*numbers), strict=True):
        assert ((found.dense().numpy() > 0) == (ones >= least)).all()
        assert same_bits(signs.at_least(least), found.bits)


@pytest.mark.parametrize("first", [True, False])
def test_every_number_of_votes(first):
    """Coordinate c gets c of n votes, from the first c rows or from the last."""
    for n in range(1, 201):
        votes = np.arange(n + 1) > np.arange(n)[:, None]
        signs = signs_of(plain.pack((votes if first else votes[::-1]) - 1.0), n + 1)
        assert ((signs.vote().dense().numpy() > 0) == (2 * np.arange(n + 1) >= n)).all(), n
        if n % 2 == 0:
            half, more = signs.at_least_each(n // 2, n // 2 + 1)
            assert half.but(more).dense().argmax() == n // 2


@pytest.mark.parametrize("place", PLACES)
def test_a_tie_is_plus_one_and_padding_stays_zero(place):
    signs = signs_of(plain.pack(np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0]])), 3, place)
    assert signs.vote().bits.tolist() == signs.at_least(1).bits.tolist() == [0b011]


@pytest.mark.parametrize("n", [3, 200])
def test_chunks_fit_together(n, monkeypatch):
    monkeypatch.setattr(_majority, "CHUNK", 1)  # 16,384 bytes of each row at a time
    packed = frozen(np.random.default_rng(1).integers(0, 256, (n, 16_384 + 5), dtype=np.uint8))
    size = 8 * packed.shape[1]
    numbers = ((n + 1) // 2, 1, n)
    found = _majority.at_least(packed, numbers)
    assert same_bits(found[0], plain.vote(packed, size))
    assert same_bits(found[1], np.bitwise_or.reduce(packed))
    assert same_bits(found[2], np.bitwise_and.reduce(packed))


def test_what_is_voted_is_nobodys_row():
    for n in (1, 2, 3):
        signs = signs_of(np.zeros((n, 8), np.uint8), 64)
        signs.vote().bits[:] = 255
        assert not signs.bits.any()
