"""Inner product manipulation."""

import numpy as np
import pytest

from tests.attacks.inputs import crafted, matrix, randn, sent_by_all

HONEST = matrix([0, 1], [0, -1], [10, 0], [2, 0])  # mean (3, 0)


def test_by_hand():
    assert sent_by_all("ipm", HONEST) == pytest.approx([-0.3, 0.0], rel=1e-6)
    assert np.array_equal(sent_by_all("ipm", HONEST, epsilon=2.0), [-6, 0])


@pytest.mark.parametrize("epsilon, turned", [(1.9, False), (2.1, True)])
def test_it_turns_a_mean_above_the_ratio_of_honest_to_byzantine(epsilon, turned):
    """8 honest, 4 Byzantine: (8 - 4 epsilon) / 12 mu."""
    honest = 1.0 + randn(8, 20) / 10
    sent = crafted("ipm", randn(4, 20), honest, epsilon=epsilon)
    mean = np.concatenate([sent, honest]).mean(axis=0)
    assert (mean < 0).all() if turned else (mean > 0).all()


@pytest.mark.parametrize("epsilon", [0.0, float("inf")])
def test_impossible_options_are_refused(epsilon):
    with pytest.raises(
        ValueError, match=f"epsilon: expected a finite number above 0; got {epsilon}"
    ):
        sent_by_all("ipm", HONEST, epsilon=epsilon)
