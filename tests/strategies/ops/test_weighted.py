import numpy as np
import pytest
import torch

from signfed.strategies.ops import _weighted
from tests.strategies.ops import plain
from tests.strategies.ops.samples import (
    FEW,
    ROWS,
    SIZES,
    packed_rows,
    same_bits,
    signs_of,
    weights_of,
)
from tests.strategies.places import PLACES, on_cpu


def voted(packed, weights, n_coordinates, place=on_cpu):
    signs = signs_of(packed, n_coordinates, place)
    found = signs.weighted_vote(torch.from_numpy(weights.copy()))
    assert same_bits(signs.bits, packed)
    return found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_the_plain_form(place, n):
    for n_coordinates in SIZES if place is on_cpu or n <= FEW else ():
        packed = packed_rows(n, n_coordinates)
        one, wide = weights_of(n, n), weights_of((n, n_coordinates), n + 1)
        expected = plain.weighted_vote(packed, one, n_coordinates)
        assert same_bits(voted(packed, one, n_coordinates, place=place), expected)
        expected = plain.weighted_vote(packed, wide, n_coordinates)
        signs, rows = signs_of(packed, n_coordinates, place), torch.from_numpy(wide)
        by_coordinate = signs.weighted_vote_by_coordinate(place(row) for row in rows)
        assert same_bits(by_coordinate, expected)


@pytest.mark.parametrize("place", PLACES)
def test_the_order_of_the_rows_is_the_order_of_the_sum(place):
    """1e8 + 1 - 1e8 is 0 in float32 and so +1; 1e8 - 1e8 - 1 is -1."""
    early = plain.pack(np.array([[1.0], [-1.0], [-1.0]]))
    for weights, expected in (([1e8, 1, 1e8], 1), ([1e8, 1e8, 1], 0)):
        found = voted(early, np.array(weights, np.float32), 1, place=place)
        assert found.bits.tolist() == [expected]


@pytest.mark.parametrize("n_coordinates", [3 * 4096, 3 * 4096 + 1, 20_000])
def test_chunks_fit_together(n_coordinates, monkeypatch):
    monkeypatch.setattr(_weighted, "CHUNK", 0)  # 4,096 coordinates at a time
    packed, weights = packed_rows(5, n_coordinates), weights_of(5, 0)
    expected = plain.weighted_vote(packed, weights, n_coordinates)
    assert same_bits(voted(packed, weights, n_coordinates), expected)
