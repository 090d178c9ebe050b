"""Vulnerable edges, estimated by colluders."""

import numpy as np
import pytest

from signfed.attacks.vem import certainties, weakest_certainty
from tests.attacks.inputs import crafted, matrix, randn

OWN = matrix([1, 2, 0, -3], [3, -2, 0, -3.2])  # certain to 1.41, 0, as of a dead unit, 22


@pytest.mark.parametrize(
    "n_total, reach, signs",
    [
        (7, 1.0, [1, -1, 1, -1]),  # 2 of 5 votes: below 0.52
        (5, 1.0, [1, -1, 1, -1]),  # 2 of 3: below 0.97
        (5, 1.3, [-1, -1, 1, -1]),  # 2.6 of 3: below 1.50
        (5, 1.5, [-1, -1, -1, 1]),  # 3 of 3: everything
        (4, 1.0, [-1, -1, -1, 1]),
        (5, 0.0, [1, 1, 1, -1]),
    ],
)
def test_by_hand(n_total, reach, signs):
    sent = crafted("vem", OWN, n_total=n_total, reach=reach)
    assert np.array_equal(np.where(sent >= 0, 1, -1), [signs] * 2)
    assert np.abs(sent[0]) == pytest.approx([2, 0, 0, 3.1], abs=1e-6)


def test_what_b_votes_turn():
    """h (2 Phi(z) - 1) = votes at the limit: Phi(1) = 0.841 makes 6.83 of 10."""
    assert weakest_certainty(6.826895, 10) == pytest.approx(1.0, abs=1e-6)
    assert weakest_certainty(0, 10) == 0.0 and weakest_certainty(10, 10) == np.inf
    assert weakest_certainty(1, 0) == np.inf


def test_one_row_is_held_against_its_own_size():
    """Root mean square 5 / sqrt(2)."""
    found = certainties(matrix([3, -4]))
    assert found == pytest.approx(np.array([3, 4]) / (5 / 2**0.5))
    assert certainties(matrix([0, 0])).tolist() == [np.inf, np.inf]


def test_a_row_that_is_not_finite_counts_as_absent_and_its_vote_does_not():
    broken = np.concatenate([OWN, matrix([np.nan, 1, 1, 1])])
    sent = crafted("vem", broken, n_total=6)  # 3 votes of 3
    assert np.array_equal(sent, np.tile(crafted("vem", OWN, n_total=4)[0], (3, 1)))


def test_it_turns_more_signs_than_inverted_rows_and_agrees_where_the_vote_is_clear():
    """15 workers, 6 of them Byzantine."""
    truth = randn(1, 3000, seed=1)
    rows = truth + randn(15, 3000, seed=2)
    sent = np.sign(crafted("vem", rows[:6], n_total=15))
    votes = np.sign(rows[6:]).sum(axis=0)
    turnable, against = np.abs(votes) < 6, sent[0] != np.sign(votes)
    assert np.mean(against[turnable]) > 0.5 > 0.35 > np.mean(against[~turnable])
    wrong = np.sign(votes + 6 * sent[0]) != np.sign(votes)
    inverted = np.sign(votes - np.sign(rows[:6]).sum(axis=0)) != np.sign(votes)
    assert wrong.mean() > 1.3 * inverted.mean()


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="reach: expected a finite number of at least 0; got -1"):
        crafted("vem", reach=-1)
