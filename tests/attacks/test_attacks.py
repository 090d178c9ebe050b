"""What every attack does: the laws that all of them keep."""

import doctest

import numpy as np
import pytest

from signfed.attacks import ATTACKS, build, craft, knows
from tests.attacks.inputs import IMAGES, LABELS, OWN, call, crafted, past_of, randn


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("none", {}, OWN),
        ("sign-inversion", {}, [[-1, 2, 0, 0.5], [3, -4, -5, 6]]),
        ("stochastic-sign-flip", {"probability": 0.0}, OWN),
        ("stochastic-sign-flip", {"probability": 1.0}, [[-1, 2, 0, 0.5], [3, -4, -5, 6]]),
    ],
)
def test_what_is_sent_by_hand(name, options, expected):
    sent = crafted(name, **options)
    assert sent.dtype == np.float32
    assert np.array_equal(sent, expected)


def test_inverting_twice_changes_nothing():
    own = randn(3, 50)
    once = crafted("sign-inversion", own)
    assert crafted("sign-inversion", once).tobytes() == own.tobytes()
    assert not np.array_equal(once, own)


@pytest.mark.parametrize("r", [0.1, 0.5, 0.8])
def test_signs_are_flipped_at_the_rate_r(r):
    """100,000 coins: 5 standard deviations are 0.008 at r = 1/2. Magnitudes stay."""
    own = randn(2, 50_000)
    sent = crafted("stochastic-sign-flip", own, probability=r)
    tolerance = 5 * (r * (1 - r) / own.size) ** 0.5
    assert np.mean(sent != own) == pytest.approx(r, abs=tolerance)
    assert np.array_equal(np.abs(sent), np.abs(own))


def test_a_flipped_worker_errs_with_p_plus_r_times_1_minus_2p():
    """Eq. 11: p = 0.2 and r = 0.3 make 0.38; 200,000 coins, 5 standard deviations."""
    random = np.random.default_rng(1)
    own = np.where(random.random((2, 100_000)) < 0.2, -1.0, 1.0).astype(np.float32)
    sent = crafted("stochastic-sign-flip", own, probability=0.3)
    assert np.mean(sent < 0) == pytest.approx(0.38, abs=5 * (0.38 * 0.62 / 200_000) ** 0.5)


@pytest.mark.parametrize("name", ["stochastic-sign-flip", "gaussian"])
def test_attackers_draw_independently(name):
    """Equal rows in, rows out that agree in half of the signs: 50,000 coins, 5 deviations."""
    sent = crafted(name, np.ones((2, 50_000), np.float32))
    assert np.mean((sent[0] > 0) == (sent[1] > 0)) == pytest.approx(0.5, abs=0.0112)


@pytest.mark.parametrize("std", [1.0, 0.5, 30.0])
def test_gaussian_noise_has_its_mean_and_deviation(std):
    """Over 200,000 draws: mean within 5 std / sqrt(n), deviation within 1 %."""
    sent = crafted("gaussian", np.ones((2, 100_000), np.float32), std=std)
    assert sent.mean() == pytest.approx(0.0, abs=5 * std / 200_000**0.5)
    assert sent.std() == pytest.approx(std, rel=0.01)
    assert np.mean(np.abs(sent) < std) == pytest.approx(0.6827, abs=0.01)  # a bell, not a box


def test_gaussian_noise_knows_nothing_of_the_gradient():
    assert crafted("gaussian", OWN).tobytes() == crafted("gaussian", 0 * OWN).tobytes()


# From here on: what must hold for every attack in the table, and for those still to come.

OMNISCIENT = [name for name in ATTACKS if knows(build(name).knowledge, "omniscient")]


@pytest.mark.parametrize("name", ATTACKS)
def test_input_is_untouched(name):
    own, honest = OWN.copy(), randn(3, 4)
    if ATTACKS[name].stage == "data":
        own = LABELS.copy()
    before = own.copy()
    own.flags.writeable = honest.flags.writeable = False
    images = IMAGES.copy()
    sent = call(name, honest, own)
    assert images.tobytes() == IMAGES.tobytes()
    assert sent.shape == own.shape and sent.dtype == own.dtype
    assert own.tobytes() == before.tobytes() and honest.tobytes() == randn(3, 4).tobytes()


@pytest.mark.parametrize("name", ATTACKS)
def test_the_seed_fixes_what_is_sent(name):
    sent, again = (call(name, seed=3) for _ in range(2))
    assert sent.tobytes() == again.tobytes()


@pytest.mark.parametrize("name", [n for n in OMNISCIENT if n not in ("byzmean", "time-varying")])
def test_omniscient_attackers_send_the_same(name):
    sent = call(name, own=randn(3, 4))
    assert sent[0].tobytes() == sent[1].tobytes() == sent[2].tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OMNISCIENT)
def test_an_honest_row_that_is_not_finite_counts_as_absent(name, bad):
    options = {"attacks": "byzmean"} if name == "time-varying" else {}
    honest = randn(4, 4, seed=3)
    broken = np.concatenate([honest, np.ones((1, 4), np.float32)])
    broken[4, 1] = bad
    assert call(name, broken, **options).tobytes() == call(name, honest, **options).tobytes()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_honest", [0, 1])
@pytest.mark.parametrize("name", OMNISCIENT)
def test_few_honest_rows_are_no_accident(name, n_honest):
    for n_attackers in (1, 2):
        sent = call(name, randn(n_honest, 4), OWN[:n_attackers])
        assert sent.shape == (n_attackers, 4) and np.isfinite(sent).all()


@pytest.mark.parametrize("name", [n for n in OMNISCIENT if n != "time-varying"])
def test_coordinates_are_treated_alike(name):
    """Renumbered in, renumbered out, up to the rounding of sums over coordinates."""
    own, honest = randn(2, 30, seed=1), 0.2 + randn(6, 30, seed=2)
    order = np.random.default_rng(0).permutation(30)
    past = {"past": past_of(30, order)} if build(name).past else {}
    renumbered = call(name, honest[:, order], own[:, order], **past)
    assert renumbered == pytest.approx(call(name, honest, own)[:, order], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", [n for n in OMNISCIENT if n not in ("time-varying", "mimic")])
def test_honest_workers_are_treated_alike(name):
    own, honest = randn(2, 30, seed=1), 0.2 + randn(6, 30, seed=2)
    assert call(name, honest[::-1], own) == pytest.approx(call(name, honest, own), abs=1e-5)


@pytest.mark.parametrize("name", ["stochastic-sign-flip", "gaussian"])
def test_another_seed_sends_something_else(name):
    own = randn(2, 50)
    rows = [craft(name, own, n_total=5, seed=seed) for seed in range(3)]
    assert len({row.tobytes() for row in rows}) == 3


@pytest.mark.parametrize("name", [n for n in ATTACKS if build(n).knowledge == "own"])
def test_who_knows_only_its_own_row_ignores_the_colluders(name):
    own = LABELS if ATTACKS[name].stage == "data" else OWN
    changed = own.copy()
    changed[0] = 1
    sent, other = (call(name, own=rows) for rows in (own, changed))
    assert sent[1].tobytes() == other[1].tobytes()


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("stochastic-sign-flip", {"probability": 1.01}, r"in \[0, 1\]; got 1.01"),
        ("stochastic-sign-flip", {"probability": -0.01}, r"in \[0, 1\]; got -0.01"),
        ("stochastic-sign-flip", {"probability": float("nan")}, r"in \[0, 1\]; got nan"),
        ("gaussian", {"std": 0.0}, "above 0; got 0.0"),
        ("gaussian", {"std": -1.0}, "above 0; got -1.0"),
        ("gaussian", {"std": float("nan")}, "above 0; got nan"),
        ("gaussian", {"std": float("inf")}, "above 0; got inf"),
    ],
)
def test_impossible_arguments_are_refused(name, options, text):
    with pytest.raises(ValueError, match=text):
        crafted(name, **options)


@pytest.mark.parametrize("name", ATTACKS)
def test_without_attackers_nothing_is_crafted(name):
    assert call(name, randn(2, 4), OWN[:0]).shape == (0, 4)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_example_of_every_attack_is_true(name):
    function = ATTACKS[name].function
    globs = dict(function.__globals__)
    (example,) = doctest.DocTestFinder().find(function, name, globs=globs)
    done = doctest.DocTestRunner().run(example)
    assert done.attempted and not done.failed
