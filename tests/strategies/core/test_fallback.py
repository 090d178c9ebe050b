"""What answers where a rule does not admit so few updates."""

import torch

from signfed.strategies.core.fallback import fallback
from signfed.strategies.core.updates import Updates

ROWS = torch.tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0]])


def test_a_tie_of_signs_is_plus_one():
    assert fallback(Updates.from_matrix(ROWS, signs=True)).tolist() == [1.0, 1.0, -1.0]


def test_floats_have_their_median():
    assert fallback(Updates.from_matrix(ROWS)).tolist() == [0.0, 0.0, -1.0]
