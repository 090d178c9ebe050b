"""Min-Max and Min-Sum."""

import numpy as np
import pytest

from signfed.attacks.core.distances import largest_gamma
from tests.attacks import slow
from tests.attacks.inputs import matrix, randn, sent_by_all

# On a line, mu = 4. Min-Max: 9 apart at most, so the farthest out is 9 - 9 = 0. Min-Sum: sums of
# squares 9 + 81 = 90, 9 + 36 = 45, 81 + 36 = 117; 42 + 3 (x - 4)^2 <= 117 ends at -1, <= 45 at 3.
LINE = matrix([0], [3], [9])
HOLDS = {"min-max": slow.min_max_holds, "min-sum": slow.min_sum_holds}


@pytest.mark.parametrize("perturbation", ["std", "unit", "sign"])
@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("min-max", {}, 0.0),
        ("min-sum", {}, -1.0),
        ("min-sum", {"bound": "max"}, -1.0),
        ("min-sum", {"bound": "min"}, 3.0),
    ],
)
def test_by_hand_on_a_line(name, options, expected, perturbation):
    sent = sent_by_all(name, LINE, perturbation=perturbation, **options)
    assert sent == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize(
    "name, gamma", [("min-max", 3**0.5), ("min-sum", 1.0)], ids=["min-max", "min-sum"]
)
def test_by_hand_with_a_deviation_of_two(name, gamma):
    """mu = (2, 0), s = (2, 2), distances from mu 0, 8, 8 and between the outer rows 32, squared.

    <p, mu - g_i> = 0. Min-Max: 8 + 8 gamma^2 = 32. Min-Sum: 16 + 24 gamma^2 = 8 + 32.
    """
    honest = matrix([2, 0], [4, -2], [0, 2])
    expected = [2 - 2 * gamma, -2 * gamma]
    assert sent_by_all(name, honest) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "perturbation, direction",
    [("std", [-1, -1, -2]), ("unit", [-0.6, 0, 0.8]), ("sign", [-1, 0, 1])],
)
@pytest.mark.parametrize("name", HOLDS)
def test_the_direction_of_the_perturbation(name, perturbation, direction):
    """mu = (3, 0, -4), deviations (1, 1, 2)."""
    honest = matrix([2, 1, -6], [3, -1, -4], [4, 0, -2])
    moved = sent_by_all(name, honest, perturbation=perturbation) - [3, 0, -4]
    gamma = moved @ direction / np.dot(direction, direction)
    assert gamma > 0.5
    assert moved == pytest.approx(gamma * np.array(direction), abs=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("perturbation", ["std", "unit", "sign"])
@pytest.mark.parametrize("name", HOLDS)
def test_gamma_is_feasible_and_the_least_more_is_not(name, perturbation, scale):
    """Relative to gamma: 1e-6 is the rounding to float32, 1e-4 what is more."""
    honest = scale * (0.3 + randn(9, 30, seed=5)).astype(np.float64)
    honest = honest.astype(np.float32)
    sent = sent_by_all(name, honest, perturbation=perturbation).astype(np.float64)
    rows, mu = honest.astype(np.float64), honest.mean(axis=0, dtype=np.float64)
    assert np.linalg.norm(sent - mu) > 0.1 * scale
    assert HOLDS[name](rows, sent, slack=1e-5)
    assert not HOLDS[name](rows, mu + 1.0001 * (sent - mu), slack=1e-5)


@pytest.mark.parametrize("name", HOLDS)
def test_nothing_to_hide_among_is_the_mean(name):
    row = randn(1, 5)
    for perturbation in ("std", "unit", "sign"):
        for copies in (1, 4):
            honest = np.tile(row, (copies, 1))
            sent = sent_by_all(name, honest, perturbation=perturbation)
            assert sent == pytest.approx(row[0], rel=1e-5)


def test_gamma_of_constraints_by_hand():
    """gamma^2 <= 4; 1 + 6 gamma + gamma^2 <= 8 up to 1; -6 gamma + gamma^2 <= 7 up to 7."""
    zero = np.zeros(1)
    assert largest_gamma(zero, zero, 1.0, 4.0) == 2.0
    assert largest_gamma(np.ones(1), np.full(1, 3.0), 1.0, 8.0) == pytest.approx(1.0, rel=1e-15)
    assert largest_gamma(zero, np.full(1, -3.0), 1.0, 7.0) == pytest.approx(7.0, rel=1e-15)
    both = largest_gamma(np.array([1.0, 0.0]), np.array([3.0, -3.0]), 1.0, 8.0)
    assert both == pytest.approx(1.0, rel=1e-15)
    assert largest_gamma(zero, zero, 0.0, 4.0) == 0.0
    # The difference of nearly equal numbers would lose all of it: gamma = 1e-12 / 2e6.
    assert largest_gamma(zero, np.full(1, 1e6), 1.0, 1e-12) == pytest.approx(
        5e-19, rel=1e-12, abs=0
    )


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("min-max", {"perturbation": "var"}, "perturbation: .* std, unit, sign; got 'var'"),
        ("min-sum", {"perturbation": "var"}, "perturbation: .* std, unit, sign; got 'var'"),
        ("min-sum", {"bound": "mean"}, "bound: expected one of max, min; got 'mean'"),
    ],
)
def test_impossible_options_are_refused(name, options, text):
    with pytest.raises(ValueError, match=text):
        sent_by_all(name, LINE, **options)
