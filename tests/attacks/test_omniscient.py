"""The omniscient adversary."""

import numpy as np

from tests.attacks.inputs import matrix, sent_by_all

HONEST = matrix([0, 1], [0, -1], [10, 0], [2, 0])  # mean (3, 0)


def test_by_hand():
    """Mean |entry| (1 + 2 + 3 + 2 + 2 + 2) / 6 = 2."""
    honest, truth = matrix([1, -2, 3], [2, -2, 2]), np.array([1, 0, -2], np.float32)
    assert np.array_equal(sent_by_all("omniscient", honest, truth=truth), [-2, -2, 2])
    signs = matrix([1, -1, 1], [1, 1, -1])
    assert np.array_equal(sent_by_all("omniscient", signs, truth=truth), [-1, -1, 1])


def test_the_truth_and_the_honest_mean_are_two_things():
    """The truth decides; when a caller has none, the honest mean, (3, 0), stands for it."""
    truth = np.array([-5, -5], np.float32)
    assert (sent_by_all("omniscient", HONEST, truth=truth) > 0).all()
    assert (sent_by_all("omniscient", HONEST) < 0).all()
