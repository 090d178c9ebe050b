import numpy as np
import pytest

from signfed.strategies.ops import _popcount
from tests.strategies.ops import plain
from tests.strategies.ops.samples import ROWS, SIZES, packed_rows, same_bits, signs_of
from tests.strategies.places import PLACES


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n", [1, 2, 15, 50])
def test_agrees_with_the_plain_form(place, n):
    for n_coordinates in SIZES:
        rows, other = np.split(packed_rows(n + 1, n_coordinates), [n])
        signs = signs_of(rows, n_coordinates, place)
        vector = signs_of(other[0], n_coordinates, place)
        assert same_bits(signs.disagreements(vector), plain.disagreements(rows, other[0]))
        pairs = np.stack([plain.disagreements(rows, row) for row in rows])
        assert same_bits(signs.pairwise_disagreements(), pairs)
        differ = plain.unpack(rows[0] ^ other[0], n_coordinates).sum()
        assert int(vector.disagreements(signs_of(rows[0], n_coordinates, place))) == differ


@pytest.mark.parametrize("n", ROWS)
def test_of_a_row_with_itself_and_with_its_inverse(n):
    rows = np.random.default_rng(n).integers(0, 256, (n, 37), dtype=np.uint8)
    signs = signs_of(rows, 8 * 37)
    assert signs.disagreements(signs_of(rows[-1], 8 * 37))[-1] == 0
    assert signs.disagreements(signs_of(~rows[0], 8 * 37))[0] == 8 * 37


@pytest.mark.parametrize("few", [0, 1 << 19], ids=["row by row", "all pairs at once"])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_chunks_fit_together(n, few, monkeypatch):
    monkeypatch.setattr(_popcount, "FEW", few)
    monkeypatch.setattr(_popcount, "CHUNK", 2 * 48)  # two rows of 41 bytes at a time
    rows = np.random.default_rng(n).integers(0, 256, (n, 41), dtype=np.uint8)
    found = _popcount.disagreements(rows, rows[0])
    assert same_bits(found, plain.disagreements(rows, rows[0]))
    pairs = np.stack([plain.disagreements(rows, row) for row in rows])
    assert same_bits(_popcount.pairwise(rows), pairs)


def test_no_rows():
    vector = signs_of(np.zeros(3, np.uint8), 24)
    assert signs_of(np.empty((0, 3), np.uint8), 24).disagreements(vector).shape == (0,)


@pytest.mark.parametrize("few", [0, 1 << 19])
def test_more_differing_bits_than_a_sixteenth_of_a_million_are_counted(few, monkeypatch):
    """In both forms, for few columns and for many: 72,000 do not fit into 16 bits."""
    monkeypatch.setattr(_popcount, "FEW", few)
    rows = np.stack([np.zeros(9000, np.uint8), np.full(9000, 255, np.uint8)])
    assert _popcount.disagreements(rows, rows[0]).tolist() == [0, 72_000]
    assert _popcount.pairwise(rows).tolist() == [[0, 72_000], [72_000, 0]]
