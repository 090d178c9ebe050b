"""Colluding majority, vote-aware, weight-aware: liars who know how the vote will end."""

import numpy as np
import pytest

from signfed.attacks import View, build
from signfed.attacks.weight_aware import weights
from tests.attacks.inputs import crafted, matrix, randn, sent_by_all

# Sums (4, -2, 0, 2, -4).
SIGNS = matrix([1, 1, -1, 1, -1], [1, -1, 1, 1, -1], [1, -1, 1, -1, -1], [1, -1, -1, 1, -1])


def coins(*shape, seed=0):
    return np.where(randn(*shape, seed=seed) < 0, -1.0, 1.0).astype(np.float32)


def test_the_colluders_majority_by_hand():
    """Signs (+++), (---), (++-) though the sum is negative, (0 counts as +: ++-)."""
    own = matrix([1, -1, 1, 0], [1, -1, 1, 0], [1, -1, -9, -1])
    assert np.array_equal(crafted("colluding-majority", own), [[-1, 1, -1, -1]] * 3)
    # Two against two is a +.
    own = matrix([2, -1], [2, -1], [-9, 1], [-9, 1])
    assert np.array_equal(crafted("colluding-majority", own), [[-1, -1]] * 4)


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
def test_vote_aware_by_hand(share, expected):
    assert np.array_equal(sent_by_all("vote-aware", SIGNS, share=share), expected)


def test_vote_aware_turns_every_vote_that_can_be_turned():
    """9 honest, 4 lie: what is turned has a margin below 4."""
    honest = coins(9, 400)
    sent = crafted("vote-aware", coins(4, 400, seed=1), honest)
    before, after = honest.sum(axis=0), honest.sum(axis=0) + sent.sum(axis=0)
    assert np.array_equal(np.sign(after) == -np.sign(before), np.abs(before) < 4)


# w = log 9, log 4 and 0 of p = 0.1, 0.2, 0.5; the attackers' +-log(7/3) = 0.847, 1.695 together.
FOUND = {0: 0.3, 1: 0.7, 2: 0.1, 3: 0.2, 4: 0.5}
HONEST = matrix([1, 1, -1, -1], [1, -1, 1, -1], [-1, -1, 1, 1])
OWN = matrix([1, 1, 1, 1], [1, 1, 1, 1])


@pytest.mark.parametrize("name", [int, str])
def test_weight_aware_by_hand(name):
    """V = log 9 +- log 4 = 3.58, 0.81, -0.81, -3.58: the middle two turn. 1 is read backwards."""
    findings = {"crossover": {name(worker): p for worker, p in FOUND.items()}}
    sent = crafted("weight-aware", OWN, HONEST, findings=findings)
    assert np.array_equal(sent, [[1, -1, 1, -1], [-1, 1, -1, 1]])


def test_weight_aware_knows_who_is_who():
    """The attackers are 4 and 9, the honest 7, 0 and 2."""
    found = {4: 0.3, 9: 0.7, 7: 0.1, 0: 0.2, 2: 0.5}
    sent = crafted(
        "weight-aware", OWN, HONEST, findings={"crossover": found}, ids=(4, 9), honest_ids=(7, 0, 2)
    )
    assert np.array_equal(sent, [[1, -1, 1, -1], [-1, 1, -1, 1]])
    other = {**found, 7: 0.9}  # -log 9: V = -0.81, -3.58, 3.58, 0.81
    sent = crafted(
        "weight-aware", OWN, HONEST, findings={"crossover": other}, ids=(4, 9), honest_ids=(7, 0, 2)
    )
    assert np.array_equal(sent, [[1, -1, 1, -1], [-1, 1, -1, 1]])


@pytest.mark.parametrize(
    "share, target", [(0.25, [1, -1, -1, -1]), (0.0, [1, 1, -1, -1]), (0.75, [1, -1, 1, -1])]
)
def test_weight_aware_turns_no_more_than_its_share(share, target):
    sent = crafted("weight-aware", OWN, HONEST, findings={"crossover": FOUND}, share=share)
    assert np.array_equal(sent, [target, np.negative(target)])


@pytest.mark.parametrize("findings", [{}, {"crossover": {}}, {"accepted": [0]}, None])
def test_without_findings_all_weigh_the_same(findings):
    """V = 1, -1, 1, -1, all below 2."""
    sent = crafted("weight-aware", OWN, HONEST, findings=findings)
    assert np.array_equal(sent, [[-1, 1, -1, 1], [-1, 1, -1, 1]])


def test_what_an_error_rate_weighs():
    found = {"crossover": {"0": 0.1, "1": 0.0, "2": 1.0, "3": 0.5}}
    expected = [np.log(9), np.log(99), -np.log(99), 0.0, 0.0]  # 4 was never met
    assert weights(found, (0, 1, 2, 3, 4)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_weight_aware_turns_exactly_what_can_be_turned(seed):
    """The weighted vote over all rows, before and after; no margin is met exactly."""
    random = np.random.default_rng(seed)
    findings = {"crossover": dict(enumerate(random.uniform(0.05, 0.95, 11)))}
    honest = coins(8, 500, seed=seed)
    sent = crafted("weight-aware", coins(3, 500, seed=9), honest, findings=findings)
    by_attacker, by_honest = weights(findings, range(3)), weights(findings, range(3, 11))
    before, after = by_honest @ honest, by_honest @ honest + by_attacker @ sent
    turnable = np.abs(before) < np.abs(by_attacker).sum()
    assert 0 < turnable.sum() < 500
    assert np.array_equal(np.sign(after) != np.sign(before), turnable)


@pytest.mark.parametrize("name", ["vote-aware", "weight-aware", "filter-aware"])
@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_is_between_0_and_1(name, share):
    with pytest.raises(ValueError, match=f"share: expected a number from 0 to 1, got {share}"):
        crafted(name, OWN, HONEST, share=share)


def test_a_share_of_29_percent_of_100_is_29():
    """In floating point 0.29 * 100 is 28.999..."""
    honest = np.ones((3, 100), np.float32)
    assert (sent_by_all("vote-aware", honest, share=0.29) < 0).sum() == 29


def test_weights_need_to_be_told_who_is_who():
    view = View(OWN, (), 5, honest=HONEST, findings={})
    with pytest.raises(ValueError, match=r"view\.ids is for attacks that declare"):
        build("weight-aware")(view)
