"""Trusted bloc."""

import numpy as np
import pytest
import torch

from signfed.attacks import View, build
from signfed.strategies.core.updates import Updates
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from tests.attacks.inputs import crafted, matrix, randn

OWN = matrix([1, -2, 0.5, 0], [3, -1, -1.5, 0])  # mean 2, -1.5, -0.5, 0
TINY = np.finfo(np.float32).tiny


@pytest.mark.parametrize(
    "server_round, options, sign",
    [
        (20, {}, 1),
        (21, {}, -1),
        (900, {}, -1),
        (1, {"rounds": 0}, -1),
        (3, {"rounds": 3, "period": 2}, 1),
        (4, {"rounds": 3, "period": 2}, -1),
        (5, {"rounds": 3, "period": 2}, -1),
        (6, {"rounds": 3, "period": 2}, 1),
        (7, {"rounds": 3, "period": 2}, 1),
        (8, {"rounds": 3, "period": 2}, -1),
    ],
)
def test_by_hand(server_round, options, sign):
    sent = crafted("trusted-bloc", OWN, server_round=server_round, **options)
    assert np.array_equal(sent, np.float32(sign) * matrix(*[[2, -1.5, -0.5, TINY]] * 2))


def test_a_zero_is_plus_one_and_turns_on_a_sign_channel():
    """sign(-0.0) is +1: a negated zero would go on agreeing."""
    before, after = (crafted("trusted-bloc", OWN, server_round=t) >= 0 for t in (20, 21))
    assert before[0, 3] and not after[0, 3]
    assert np.array_equal(before, ~after)


def test_a_row_that_is_not_finite_counts_as_absent():
    broken = np.concatenate([OWN, matrix([np.nan, 1, 1, 1])])
    assert np.array_equal(crafted("trusted-bloc", broken)[:2], crafted("trusted-bloc", OWN))
    assert (crafted("trusted-bloc", broken[2:]) > 0).all()  # nobody knows: +1 everywhere


def test_each_row_has_flips_of_its_own():
    """3 x 30,000 coins: 5 standard deviations of a rate of 0.2 are 0.012, of 0.32 0.0135."""
    own = randn(3, 30_000)
    same, sent = crafted("trusted-bloc", own), crafted("trusted-bloc", own, flip=0.2)
    flipped = sent != same
    assert np.array_equal(np.abs(sent), np.abs(same))
    assert flipped.mean(axis=1) == pytest.approx(0.2, abs=0.012)
    assert np.mean(flipped[0] != flipped[1]) == pytest.approx(2 * 0.2 * 0.8, abs=0.0135)


def gradients(server_round):
    """15 workers on 400 coordinates; one row errs in about a quarter of them."""
    truth = np.where(randn(400, seed=5) > 0, 1.0, -1.0)
    return truth, (truth + 1.5 * randn(15, 400, seed=100 + server_round)).astype(np.float32)


def test_the_row_is_right_more_often_than_any_honest_one():
    for server_round in range(1, 6):
        truth, rows = gradients(server_round)
        wrong = (np.sign(rows) != truth).mean(axis=1)
        bloc = np.sign(crafted("trusted-bloc", rows[:4])[0]) != truth
        assert bloc.mean() < wrong[4:].min()


def test_a_rule_that_trusts_its_own_output_follows_the_bloc():
    """4 of 15 lead signSGD-FD as published away from every sign, and not a plain vote."""
    attack = build("trusted-bloc", rounds=10)
    draws = tuple(map(np.random.default_rng, range(4)))
    rules = {"fd": SignFD(estimator="pooled", n_byzantine=4), "mv": SignMV()}
    wrong = {name: [] for name in rules}
    for server_round in range(1, 31):
        truth, rows = gradients(server_round)
        rows[:4] = attack(View(rows[:4], draws, 15, server_round=server_round))
        for name, rule in rules.items():
            updates = Updates.from_matrix(
                torch.from_numpy(rows), signs=True, server_round=server_round
            )
            wrong[name].append(np.mean(rule.aggregate(updates).numpy() != truth))
    assert max(wrong["fd"][:10]) < 0.15 and min(wrong["fd"][20:]) > 0.8
    assert max(wrong["mv"]) < 0.35


@pytest.mark.parametrize(
    "options, text",
    [
        ({"rounds": -1}, "rounds: expected a whole number of at least 0; got -1"),
        ({"flip": 0.5}, r"flip: expected a number in \[0, 0.5\); got 0.5"),
        ({"flip": float("nan")}, "flip: .* got nan"),
        ({"period": -1}, "period: expected a whole number of at least 0; got -1"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        crafted("trusted-bloc", **options)
