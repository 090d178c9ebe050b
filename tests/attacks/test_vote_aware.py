"""Vote-aware."""

from itertools import product

import numpy as np
import pytest

from signfed import RobustLR, SignMV
from tests.attacks.inputs import coins, crafted, matrix, sent_by_all

# Sums (4, -2, 0, 2, -4).
SIGNS = matrix([1, 1, -1, 1, -1], [1, -1, 1, 1, -1], [1, -1, 1, -1, -1], [1, -1, -1, 1, -1])


@pytest.mark.parametrize(
    "share, expected",
    [
        (1.0, [-1, 1, -1, -1, 1]),
        (0.4, [1, 1, -1, 1, -1]),  # margin 0, and the first of the two margins 2
        (0.59, [1, 1, -1, 1, -1]),  # of 5: still two
        (0.6, [1, 1, -1, -1, -1]),
        (0.0, [1, -1, 1, 1, -1]),
    ],
)
def test_by_hand(share, expected):
    assert np.array_equal(sent_by_all("vote-aware", SIGNS, share=share), expected)


def test_it_turns_every_vote_that_can_be_turned():
    """9 honest, 4 Byzantine: what is turned has a margin below 4."""
    honest = coins(9, 400)
    sent = crafted("vote-aware", coins(4, 400, seed=1), honest)
    before, after = honest.sum(axis=0), honest.sum(axis=0) + sent.sum(axis=0)
    assert np.array_equal(np.sign(after) == -np.sign(before), np.abs(before) < 4)


def test_a_share_of_29_percent_of_100_is_29():
    """In floating point 0.29 * 100 is 28.999..."""
    honest = np.ones((3, 100), np.float32)
    assert (sent_by_all("vote-aware", honest, share=0.29) < 0).sum() == 29


@pytest.mark.parametrize("name", ["vote-aware", "weight-aware", "filter-aware"])
@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_is_between_0_and_1(name, share):
    with pytest.raises(ValueError, match=rf"share: expected a number in \[0, 1\]; got {share}"):
        crafted(name, SIGNS[:2], SIGNS, share=share)


def test_below_theta_it_turns_all_that_any_votes_can_turn_of_a_rule_that_goes_backwards():
    """9 honest, 3 Byzantine, theta 4: each column beside all that three votes can be."""
    honest, theta, m = coins(9, 300), 4, 3
    sent = crafted("vote-aware", coins(m, 300, seed=1), honest, below=theta)
    assert set(np.unique(sent)) == {-1.0, 1.0}
    rule = RobustLR(n_byzantine=m, threshold=theta)
    right = np.where(honest.sum(axis=0) >= 0, 1.0, -1.0)
    turned = rule(np.concatenate([sent, honest])) != right
    any_votes = np.zeros(300, bool)
    for votes in product((-1.0, 1.0), repeat=m):
        rows = np.concatenate([np.tile(np.array(votes, np.float32)[:, None], 300), honest])
        any_votes |= rule(rows) != right
    assert np.array_equal(turned, any_votes)
    # Twice the margins that a plain vote loses to as many.
    margins = np.abs(honest.sum(axis=0))
    assert np.array_equal(turned, margins < m + theta) and (margins >= m + theta).any()
    vote = SignMV()(np.concatenate([crafted("vote-aware", sent, honest), honest]))
    assert not (vote != right)[margins > m].any()
