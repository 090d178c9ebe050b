import numpy as np
import pytest
import torch

from signfed.strategies.ops.kernels import bits, grouped, weighted
from signfed.strategies.ops.kernels.weighted import reference, weighted_vote
from tests.strategies.ops.samples import (
    FEW,
    ROWS,
    SIZES,
    cuts,
    frozen,
    packed_rows,
    same_bits,
    weights_of,
)


@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_the_reference(n):
    for n_coordinates in SIZES:
        packed = frozen(packed_rows(n, n_coordinates))
        one, edges = weights_of(n, n), cuts(n_coordinates, n)
        several = weights_of((n, len(edges) - 1), n + 1)
        rows = torch.from_numpy(packed.copy())
        for weights, blocks in ((one, None), (several, edges)):
            decoded = weighted_vote(packed, weights, n_coordinates, blocks)
            assert same_bits(decoded, reference(packed, weights, n_coordinates, blocks))
            if n <= FEW:
                values = torch.from_numpy(weights.copy()).reshape(n, -1)
                at = torch.tensor(blocks or [0, n_coordinates])
                on_device = grouped.weighted_vote(rows, values, at, n_coordinates)
                assert same_bits(on_device.numpy(), decoded)


@pytest.mark.parametrize("n", [1, 6, 15])
def test_agrees_with_a_sum_of_dense_rows(n):
    matrix = torch.from_numpy(np.random.default_rng(n).standard_normal((n, 777)))
    weights, score = torch.from_numpy(weights_of(n, n).copy()), torch.zeros(777)
    for row, weight in zip(matrix, weights, strict=True):
        score += torch.where(row >= 0, weight, -weight)
    decoded = weighted_vote(bits.pack(matrix.numpy()), weights.numpy(), 777)
    assert (bits.unpack(decoded, 777) == (score >= 0).numpy()).all()


def test_the_order_of_the_rows_is_the_order_of_the_sum():
    """1e8 + 1 - 1e8 is 0 in float32 and so +1; 1e8 - 1e8 - 1 is -1."""
    plus, minus = bits.pack(np.ones((1, 1))), bits.pack(-np.ones((1, 1)))
    early = np.concatenate([plus, minus, minus])
    assert weighted_vote(early, np.array([1e8, 1, 1e8], np.float32), 1).tolist() == [1]
    assert weighted_vote(early, np.array([1e8, 1e8, 1], np.float32), 1).tolist() == [0]


@pytest.mark.parametrize("n_coordinates", [3 * 4096, 3 * 4096 + 1, 20_000])
def test_chunks_fit_together(n_coordinates, monkeypatch):
    monkeypatch.setattr(weighted, "CHUNK", 0)  # 4,096 coordinates at a time
    packed, edges = packed_rows(5, n_coordinates), [0, 4001, 4096, 9999, n_coordinates]
    weights = weights_of((5, 4), 0)
    decoded = weighted_vote(packed, weights, n_coordinates, edges)
    assert same_bits(decoded, reference(packed, weights, n_coordinates, edges))
