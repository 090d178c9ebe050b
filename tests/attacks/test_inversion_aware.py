"""Inversion-aware."""

import numpy as np
import pytest

from tests.attacks.inputs import coins, crafted, matrix, sent_by_all

# Sums (4, -2, 0, 2, -4): two votes can turn the three in the middle.
SIGNS = matrix([1, 1, -1, 1, -1], [1, -1, 1, 1, -1], [1, -1, 1, -1, -1], [1, -1, -1, 1, -1])


@pytest.mark.parametrize(
    "share, expected",
    [
        (1.0, [-1, -1, 1, 1, 1]),
        (0.67, [-1, -1, 1, -1, 1]),  # margin 0, and the first of the two margins 2
        (0.66, [-1, 1, 1, -1, 1]),  # of 3: one
        (0.0, [-1, 1, -1, -1, 1]),
    ],
)
def test_by_hand(share, expected):
    assert np.array_equal(sent_by_all("inversion-aware", SIGNS, share=share), expected)


def test_read_inverted_it_turns_what_vote_aware_turns():
    honest = coins(9, 400)
    sent = crafted("inversion-aware", coins(4, 400, seed=1), honest, share=1.0)
    before, after = honest.sum(axis=0), honest.sum(axis=0) - sent.sum(axis=0)
    assert np.array_equal(np.sign(after) == -np.sign(before), np.abs(before) < 4)


def test_counted_as_they_are_they_turn_what_is_close_least():
    honest = coins(9, 400)
    sent = crafted("inversion-aware", coins(4, 400, seed=1), honest, share=1.0)
    assert (sent[0] == np.sign(honest.sum(axis=0)))[np.abs(honest.sum(axis=0)) <= 4].all()
