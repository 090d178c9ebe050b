"""Mimic."""

import numpy as np
import pytest

from signfed.attacks import View, build
from signfed.attacks.mimic import most_extreme
from tests.attacks.inputs import matrix, randn, sent_by_all

HONEST = matrix([0, 1], [0, -1], [10, 0], [2, 0])  # mean (3, 0); it varies along (1, 0)


@pytest.mark.parametrize("target, row", [(0, 0), (2, 2), (3, 3), (4, 0), (7, 3), (-1, 2)])
def test_it_copies_a_row(target, row):
    """-1: the projections on (1, 0), less the mean 3, are -3, -3, 7, -1. A round may have fewer."""
    assert np.array_equal(sent_by_all("mimic", HONEST, target=target), HONEST[row])


def test_what_varies_most_decides_and_not_what_is_large():
    """All rows are far out along (0, 1), and differ along (1, 0)."""
    honest = matrix([1, 101], [-1, 100], [-6, 100], [3, 99])
    assert most_extreme(honest) == 2


def test_of_rows_that_are_as_far_the_first_is_taken():
    """Of two, both are; of rows and their opposites, one of the first half is."""
    assert {most_extreme(randn(2, 30, seed=seed)) for seed in range(20)} == {0}
    for seed in range(20):
        half = randn(3, 12, seed=seed)
        assert most_extreme(np.concatenate([half, -half])) < 3


@pytest.mark.parametrize("target", [0, 3, -1])
def test_it_returns_one_of_the_rows(target):
    honest = randn(7, 40)
    sent = sent_by_all("mimic", honest, target=target)
    assert sent.tobytes() in [row.tobytes() for row in honest]


def test_the_extreme_row_is_a_finite_one():
    honest = np.concatenate([np.full((1, 2), np.nan, np.float32), HONEST])
    assert np.array_equal(sent_by_all("mimic", honest, target=-1), HONEST[2])


def test_a_target_below_minus_one_is_refused():
    with pytest.raises(ValueError, match="target: expected a whole number of at least -1; got -2"):
        sent_by_all("mimic", HONEST, target=-2)


def test_without_honest_rows_there_is_nobody_to_mimic():
    own = randn(2, 3)
    view = View(own, (), 2, honest=np.zeros((0, 3), np.float32))
    assert np.array_equal(build("mimic")(view), own)
