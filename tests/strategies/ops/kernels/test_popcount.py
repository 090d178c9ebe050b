import numpy as np
import pytest
import torch

from signfed.strategies.ops.kernels import eager, popcount
from signfed.strategies.ops.kernels.popcount import block_disagreements, disagreements, reference
from tests.strategies.ops.samples import ROWS, SIZES, frozen, packed_rows, same_bits


def edges_of(n_coordinates):
    """From 0 to N: one block, as many blocks as coordinates, and some of unequal size."""
    random = np.random.default_rng(n_coordinates)
    cuts = np.sort(random.integers(0, n_coordinates + 1, 6))  # some blocks may be empty
    yield [0, n_coordinates]
    yield list(range(n_coordinates + 1))
    yield [0, *cuts.tolist(), n_coordinates]


@pytest.mark.parametrize("n", [1, 2, 15, 50])
def test_agrees_with_the_reference(n):
    for n_coordinates in SIZES:
        rows, decoded = frozen(*np.split(packed_rows(n + 1, n_coordinates), [n]))
        decoded = decoded[0]
        for edges in edges_of(n_coordinates):
            if len(edges) < 2:
                continue
            counts = block_disagreements(rows, decoded, edges)
            assert same_bits(counts, reference(rows, decoded, edges))
            assert same_bits(disagreements(rows, decoded), counts.sum(axis=1))
            tensors = torch.from_numpy(rows.copy()), torch.from_numpy(decoded.copy())
            assert same_bits(
                eager.block_disagreements(*tensors, torch.tensor(edges)).numpy(), counts
            )


@pytest.mark.parametrize("n", ROWS)
def test_of_a_row_with_itself_and_with_its_inverse(n):
    rows = np.random.default_rng(n).integers(0, 256, (n, 37), dtype=np.uint8)
    assert disagreements(rows, rows[-1])[-1] == 0
    assert disagreements(rows, ~rows[0])[0] == 8 * 37


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_chunks_fit_together(n, monkeypatch):
    monkeypatch.setattr(popcount, "CHUNK", 2 * 48)  # two rows of 41 bytes at a time
    rows = np.random.default_rng(n).integers(0, 256, (n, 41), dtype=np.uint8)
    edges = [0, 13, 64, 128, 200, 328]
    assert same_bits(block_disagreements(rows, rows[0], edges), reference(rows, rows[0], edges))


def test_no_rows():
    assert disagreements(np.empty((0, 3), np.uint8), np.zeros(3, np.uint8)).shape == (0,)
