import numpy as np
import pytest
import torch

from signfed.strategies.ops.kernels import bits, eager, majority
from tests.strategies.ops.samples import FEW, ROWS, SIZES, frozen, packed_rows, same_bits


@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_the_reference(n):
    for n_coordinates in SIZES:
        packed = frozen(packed_rows(n, n_coordinates, agreement=0.2))
        decoded = majority.majority_vote(packed)
        assert same_bits(decoded, majority.reference(packed, n_coordinates))
        if n <= FEW:
            rows = torch.from_numpy(packed.copy())
            assert same_bits(eager.majority_vote(rows).numpy(), decoded)
            if n % 2 == 0:
                assert same_bits(eager.tied(rows).numpy(), majority.tied(packed))


@pytest.mark.parametrize("n", range(1, 9))
def test_every_pattern_of_votes(n):
    """Coordinate c holds the binary digits of c: all 2^n ways in which n rows can vote."""
    votes = np.arange(2**n) >> np.arange(n)[:, None] & 1
    packed = np.packbits(votes.astype(np.uint8), axis=1, bitorder="little")
    total, size = votes.sum(axis=0), 2**n
    assert (bits.unpack(majority.majority_vote(packed), size) == (2 * total >= n)).all()
    if n % 2 == 0:
        assert (bits.unpack(majority.tied(packed), size) == (2 * total == n)).all()


@pytest.mark.parametrize("first", [True, False])
def test_every_number_of_votes(first):
    """Coordinate c gets c of n votes, from the first c rows or from the last."""
    for n in range(1, 201):
        votes = np.arange(n + 1) > np.arange(n)[:, None]
        packed = np.packbits(votes if first else votes[::-1], axis=1, bitorder="little")
        decoded = bits.unpack(majority.majority_vote(packed), n + 1)
        assert (decoded == (2 * np.arange(n + 1) >= n)).all(), n
        if n % 2 == 0:
            assert np.flatnonzero(bits.unpack(majority.tied(packed), n + 1)).tolist() == [n // 2]


def test_a_tie_is_plus_one_and_padding_stays_zero():
    packed = bits.pack(np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0]]))
    assert majority.majority_vote(packed).tolist() == [0b011]
    assert majority.tied(packed).tolist() == [0b011]


@pytest.mark.parametrize("n", [3, 200])
def test_chunks_fit_together(n, monkeypatch):
    monkeypatch.setattr(majority, "CHUNK", 1)  # 16,384 bytes of each row at a time
    packed = np.random.default_rng(1).integers(0, 256, (n, 16_384 + 5), dtype=np.uint8)
    decoded = majority.majority_vote(packed)
    assert same_bits(decoded, majority.reference(packed, 8 * packed.shape[1]))


def test_what_is_voted_is_nobodys_row():
    for n in (1, 2, 3):
        rows = np.zeros((n, 8), np.uint8)
        majority.majority_vote(rows)[:] = 255
        assert not rows.any()
