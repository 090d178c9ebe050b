"""Colluding majority."""

import numpy as np

from tests.attacks.inputs import crafted, matrix


def test_by_hand():
    """Signs (+++), (---), (++-) though the sum is negative, (0 counts as +: ++-)."""
    own = matrix([1, -1, 1, 0], [1, -1, 1, 0], [1, -1, -9, -1])
    assert np.array_equal(crafted("colluding-majority", own), [[-1, 1, -1, -1]] * 3)
    # Two against two is a +.
    own = matrix([2, -1], [2, -1], [-9, 1], [-9, 1])
    assert np.array_equal(crafted("colluding-majority", own), [[-1, -1]] * 4)
