"""One coordinate moved: whom it takes in, and whom not."""

import numpy as np
import pytest
import torch

from signfed.strategies.bulyan import Bulyan
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import Krum
from signfed.strategies.trimmed_mean import TrimmedMean
from tests.attacks.inputs import crafted, matrix, randn

HONEST = matrix([0, 1, 5], [2, 1, -5], [4, 1, 0])


def test_by_hand_where_the_honest_differ_most():
    sent = crafted("one-coordinate", honest=HONEST, own=HONEST[:2])
    assert np.array_equal(sent, matrix([2, 1, 4], [2, 1, 4]))


def test_a_row_that_is_not_finite_counts_as_absent():
    broken = np.concatenate([HONEST, matrix([0, np.inf, 0])])
    sent = crafted("one-coordinate", own=HONEST[:2], honest=broken, shift=1.5)
    assert np.array_equal(sent[0], matrix(2, 1, 1.5))


@pytest.mark.parametrize("rule, moved", [(Krum, True), (Bulyan, False), (TrimmedMean, False)])
def test_krum_is_taken_in_and_rules_that_look_at_coordinates_are_not(rule, moved):
    """9 of 39 workers, 2,000 coordinates of deviation 0.1: the honest are 6 from one another."""
    honest = 1.0 + 0.1 * randn(30, 2000)
    sent = crafted("one-coordinate", own=honest[:9], honest=honest, shift=4.0)
    rows = torch.from_numpy(np.concatenate([sent, honest]))
    found = rule(n_byzantine=9).aggregate(Updates.from_matrix(rows)).numpy()
    assert (np.abs(found - 1.0).max() > 3.5) == moved


def test_a_shift_beyond_the_distances_is_rejected_by_krum_too():
    honest = 1.0 + 0.1 * randn(30, 2000)
    sent = crafted("one-coordinate", own=honest[:9], honest=honest, shift=50.0)
    rows = torch.from_numpy(np.concatenate([sent, honest]))
    found = Krum(n_byzantine=9).aggregate(Updates.from_matrix(rows)).numpy()
    assert np.abs(found - 1.0).max() < 1.0


@pytest.mark.parametrize("shift", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_options_are_refused(shift):
    with pytest.raises(ValueError, match="shift: expected a finite number above 0"):
        crafted("one-coordinate", shift=shift)
