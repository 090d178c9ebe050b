"""Attacks that need nothing but the attacker's own row."""

import numpy as np
import pytest

from signfed.attacks import ATTACKS, View
from tests.attacks.inputs import LABELS, OWN, crafted, randn

NOISE = np.stack(
    [np.random.default_rng([0, i]).standard_normal(4, dtype=np.float32) for i in (0, 1)]
)


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("gaussian", {}, NOISE),
        ("random", {}, 0.5 * NOISE),
        ("random", {"std": 2.0}, 2.0 * NOISE),
        ("noise", {}, OWN + 0.5 * NOISE),
        ("noise", {"std": 2.0}, OWN + 2.0 * NOISE),
        ("sign-flip", {}, [[-1, 2, 0, 0.5], [3, -4, -5, 6]]),
        ("reverse-scaling", {}, [[-3, 6, 0, 1.5], [9, -12, -15, 18]]),
        ("reverse-scaling", {"factor": 100}, [[-100, 200, 0, 50], [300, -400, -500, 600]]),
        ("directional", {}, [[-1, -1, -1, -1], [-1, -1, -1, -1]]),
        ("directional", {"value": 2.5}, [[2.5, 2.5, 2.5, 2.5], [2.5, 2.5, 2.5, 2.5]]),
        ("sleeper", {"server_round": 100}, OWN),
        ("sleeper", {"server_round": 101}, -OWN),
        ("sleeper", {"rounds": 3, "server_round": 3}, OWN),
        ("sleeper", {"rounds": 3, "server_round": 4}, -OWN),
        ("sleeper", {"rounds": 0, "server_round": 1}, -OWN),
    ],
)
def test_what_is_sent_by_hand(name, options, expected):
    sent = crafted(name, **options)
    assert sent.dtype == np.float32
    assert np.array_equal(sent, np.asarray(expected, np.float32))


@pytest.mark.parametrize("name, around", [("random", 0.0), ("noise", 3.0)])
def test_the_deviation_is_a_half(name, around):
    """Over 200,000 draws: mean within 5 standard errors of it, deviation within 1 %."""
    sent = crafted(name, np.full((2, 100_000), 3.0, np.float32))
    assert sent.mean() == pytest.approx(around, abs=5 * 0.5 / 200_000**0.5)
    assert sent.std() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("n_classes, expected", [(4, [3, 2, 1, 0]), (10, [9, 8, 7, 6])])
def test_labels_are_counted_from_the_other_end(n_classes, expected):
    sent = crafted("label-flip", LABELS, n_classes=n_classes)
    assert sent.dtype == np.int64
    assert sent[0].tolist() == expected
    assert np.array_equal(crafted("label-flip", sent, n_classes=n_classes), LABELS)


def test_gradients_are_no_labels():
    with pytest.raises(ValueError, match=r"own: expected .* whole numbers; got ndarray .* float32"):
        crafted("label-flip", OWN, n_classes=4)
    with pytest.raises(ValueError, match="'label-flip' changes labels: pass n_classes"):
        crafted("label-flip", LABELS)


def test_a_reversed_gradient_and_a_flipped_message_differ_in_where_they_strike():
    assert ATTACKS["sign-flip"].stage == ATTACKS["reverse-scaling"].stage == "gradient"
    assert ATTACKS["sign-inversion"].stage == "message"
    assert ATTACKS["label-flip"].stage == "data"


def test_a_sleeper_wakes_by_the_round_of_the_view():
    own = randn(1, 5)
    view = View(own, (np.random.default_rng(0),), 3, server_round=101)
    assert np.array_equal(ATTACKS["sleeper"](view), -own)


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("random", {"std": 0.0}, "std: expected a finite number above 0; got 0.0"),
        ("noise", {"std": float("inf")}, "std: expected a finite number above 0; got inf"),
        ("reverse-scaling", {"factor": 0.0}, "factor: expected a finite number above 0; got 0.0"),
        ("reverse-scaling", {"factor": -3.0}, "factor: .* got -3.0"),
        ("directional", {"value": 0.0}, "value: expected a finite float32 other than 0, got 0.0"),
        ("directional", {"value": float("nan")}, "value: .* got nan"),
        ("directional", {"value": 1e39}, "value: .* got 1e"),  # inf in float32
        ("directional", {"value": 1e-60}, "value: .* got 1e-60"),  # 0 in float32
        ("sleeper", {"rounds": -1}, "rounds: expected a whole number of at least 0; got -1"),
    ],
)
def test_impossible_options_are_refused(name, options, text):
    with pytest.raises(ValueError, match=text):
        crafted(name, **options)
