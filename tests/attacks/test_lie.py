"""LIE."""

import warnings

import numpy as np
import pytest

from signfed.attacks.lie import largest_z
from tests.attacks import slow
from tests.attacks.inputs import matrix, randn, sent_by_all

# mu = (3, 2); squared deviations from it 4+0+4 and 4+4+16, over n - 1 = 2: s = (2, sqrt(12)).
HONEST = matrix([1, 0], [3, 0], [5, 6])
S = 12**0.5


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, [3 - 0.3 * 2, 2 - 0.3 * S]),
        ({"z": 0.5}, [2, 2 - 0.5 * S]),
        ({"z": 0.5, "direction": "plus"}, [4, 2 + 0.5 * S]),
        ({"z": 0.0}, [3, 2]),
    ],
)
def test_by_hand(options, expected):
    assert sent_by_all("lie", HONEST, **options) == pytest.approx(expected, rel=1e-6)


def test_without_a_deviation_it_is_the_mean():
    honest = np.tile(randn(1, 6), (4, 1))
    assert sent_by_all("lie", honest, z=50.0) == pytest.approx(honest[0], rel=1e-6)
    assert np.array_equal(sent_by_all("lie", honest[:1], z=50.0), honest[0])


@pytest.mark.parametrize("m, z", [(5, 0.084), (10, 0.2533), (15, 0.484), (20, 0.842), (24, 1.426)])
def test_z_max_of_50_workers(m, z):
    """ALGORITHMS.md section 10: Phi^-1(24 / (50 - m))."""
    assert largest_z(50, m) == pytest.approx(z, abs=5e-4)
    honest = randn(50 - m, 5)
    taken = sent_by_all("lie", honest, n_attackers=m, z_max=True)
    assert taken == pytest.approx(slow.lie(honest.tolist(), largest_z(50, m)), abs=1e-6)


def test_z_max_never_helps_the_honest():
    """m = 1 of 50: Phi^-1(24/49) < 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert largest_z(50, 1) == 0.0


@pytest.mark.parametrize(
    "n, m, z, text",
    [
        (50, 26, 4.7534, "no quantile of 24/24"),
        (50, 40, 4.7534, "no quantile of 24/10"),
        (4, 4, 4.7534, "no quantile of 1/0"),
        (2, 1, 0.0, "no quantile of 0/1"),
    ],
)
def test_z_max_without_a_quantile_is_clipped_with_a_warning(n, m, z, text):
    with pytest.warns(UserWarning, match=text):
        assert largest_z(n, m) == pytest.approx(z, abs=1e-3)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"z": -0.1}, "z: expected a finite number of at least 0; got -0.1"),
        ({"z": float("inf")}, "z: .* got inf"),
        ({"z": float("nan")}, "z: .* got nan"),
        ({"direction": "up"}, "direction: expected one of minus, plus; got 'up'"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        sent_by_all("lie", HONEST, **options)
