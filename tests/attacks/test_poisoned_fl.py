"""PoisonedFL: the secret, the magnitude, the feedback."""

import numpy as np
import pytest

from signfed.attacks import Past, View, build
from signfed.attacks.poisoned_fl import adjusted, follows, secret_signs
from tests.attacks.inputs import crafted, past_of, randn


@pytest.mark.parametrize(
    "n, needed",  # the constants of the authors' code for its four networks
    [(1204682, 603618), (139960, 70415), (717924, 359948), (145212, 73049)],
)
def test_the_quantile_is_the_papers(n, needed):
    wanted = np.ones(n, np.int8)
    for agreed in (needed - 1, needed):
        moved = np.repeat(np.array([1, -1], np.int8), [agreed, n - agreed])
        assert follows(moved, wanted) is (agreed == needed)


def test_what_did_not_move_says_nothing():
    wanted = np.ones(164)
    assert follows(np.repeat([1.0, -1.0, 0.0], [62, 38, 64]), wanted)
    assert not follows(np.repeat([1.0, -1.0, 0.0], [61, 39, 64]), wanted)
    assert follows(np.zeros(3), np.ones(3))  # nothing speaks against it


def test_the_secret_is_one_fair_coin_a_coordinate_of_the_run():
    signs = secret_signs(3, 10_000)
    assert set(signs) == {-1.0, 1.0} and abs(signs.mean()) < 0.05
    assert np.array_equal(signs, secret_signs(3, 10_000))
    assert np.mean(signs == secret_signs(4, 10_000)) == pytest.approx(0.5, abs=0.025)


def test_signs_and_length_do_not_depend_on_the_round_and_own_rows():
    wanted = secret_signs(5, 40)
    for server_round in (2, 3, 51):
        past = past_of(40, last=randn(40, seed=server_round))
        sent = crafted("poisoned-fl", randn(2, 40, seed=server_round), past=past, factor=3.0)
        assert np.array_equal(sent >= 0, np.tile(wanted < 0, (2, 1)))  # the model descends
        assert np.linalg.norm(sent[0]) == pytest.approx(3.0 * np.linalg.norm(past.direction))


def test_a_zero_keeps_the_secret_on_a_sign_channel():
    past = Past(np.zeros(8, np.float32), np.eye(8, dtype=np.float32)[0], secret=5)
    sent = crafted("poisoned-fl", np.ones((1, 8), np.float32), past=past)
    assert np.array_equal(sent[0] >= 0, secret_signs(5, 8) < 0)


@pytest.mark.parametrize("moved", [0.0, np.inf, np.nan])
def test_as_long_as_nothing_moved_it_sends_its_own_row(moved):
    own = randn(2, 4)
    past = Past(np.zeros(4, np.float32), np.full(4, moved, np.float32))
    assert np.array_equal(crafted("poisoned-fl", own, past=past), own)


def factors(directions, rounds, period=5, first=2.0):
    """The factor of each round, of a model that goes along these directions."""
    memory, wanted = {}, np.ones(100, np.float32)
    return [
        adjusted(Past(wanted, directions(t), memory), wanted, t, period, first)
        for t in range(1, rounds + 1)
    ]


def test_the_factor_falls_where_the_model_does_not_follow():
    """Checks in rounds 5, 10, ...; 0.5 is the least: 2, 1.4, 0.98, 0.686, and 0.48 is too low."""
    away = factors(lambda t: np.ones(100, np.float32), 25)
    expected = [2.0] * 4 + [1.4] * 5 + [0.98] * 5 + [0.686] * 11
    assert away == pytest.approx(expected)
    assert factors(lambda t: -np.ones(100, np.float32), 25) == [2.0] * 25


def test_each_check_is_of_the_movement_since_the_last():
    """Along until round 5, then away with a tenth: added up since round 1 it would still follow."""
    late = factors(lambda t: np.full(100, -1.0 if t <= 5 else 0.1, np.float32), 10)
    assert late == pytest.approx([2.0] * 9 + [1.4])


def test_a_mean_is_driven_along_the_secret():
    """5 workers around a gradient of 1, one Byzantine: the model ends where the secret points."""
    attack, wanted = build("poisoned-fl"), secret_signs(7, 200)
    direction, memory, x = np.zeros(200, np.float32), {}, np.zeros(200)
    for t in range(1, 9):
        honest = 1.0 + 0.1 * randn(4, 200, seed=t)
        past = Past(np.zeros(200, np.float32), direction, memory, secret=7)
        sent = attack(View(honest[:1], (None,), 5, server_round=t, past=past))
        direction = np.concatenate([honest, sent]).mean(axis=0)
        x = x - direction
    assert np.array_equal(np.sign(x), wanted)


def test_a_round_in_which_nothing_moved_leaves_what_was_sent_last():
    """The honest row that it sends instead is no push of its own, to be taken off the next step."""
    past = Past(np.zeros(4, np.float32), np.zeros(4, np.float32))
    crafted("poisoned-fl", randn(2, 4), past=past)
    assert past.memory["last"].tolist() == [0.0] * 4


def test_the_factor_may_fall_to_its_least_itself():
    assert factors(lambda t: np.ones(100, np.float32), 5, first=0.5 / 0.7)[-1] == 0.5
