"""Norms of rows, in float32 and yet to seven digits."""

import pytest
import torch

from signfed.strategies.ops import linalg


@pytest.mark.parametrize("n_coordinates", [1, linalg.PIECE, linalg.PIECE + 1, 3_000_000])
def test_norms_are_exact_to_float32_however_long_the_rows(n_coordinates):
    """Three million squares, added up in one float32, are wrong by 6 in 100,000."""
    draws = torch.Generator().manual_seed(0)
    rows = torch.randn((2, n_coordinates), generator=draws) * torch.tensor([[1.0], [3.0]])
    exact = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    assert linalg.norms(rows) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e19, 1e30])
def test_squares_out_of_float32s_range_are_added_up_in_float64(scale):
    rows = torch.full((1, linalg.PIECE + 5), scale)
    exact = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    assert linalg.norms(rows) == pytest.approx(exact, rel=1e-6)
