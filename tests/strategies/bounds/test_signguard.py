"""SignGuard's bounds above clients that are as far apart, as biased and as noisy as allowed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signfed.strategies.bounds.signguard import (
    eta_max,
    honest_mean_bound,
    honest_spread,
    signguard_rate_bound,
)
from tests.strategies.bounds.cases import ROUNDING, many


def test_honest_mean_bound_is_reached():
    """40 honest clients on one side of the mean, 10 others at distance kappa on the other."""
    beta, n, kappa, sigma = 0.2, 50, 3.0, 2.0
    honest = -beta * kappa / (1 - beta)
    assert 40 * honest + 10 * kappa == pytest.approx(0)  # the mean of all is the true gradient
    noise = np.random.default_rng(0).normal(0, sigma, (20_000, 40))
    error = ((honest + noise).mean(axis=1) ** 2).mean()
    assert honest_mean_bound(beta, n, sigma, kappa) == pytest.approx(honest**2 + sigma**2 / 40)
    assert honest_mean_bound(beta, n, sigma, kappa) == pytest.approx(error, rel=0.02)


@many
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12), st.floats(0, 0.49), st.floats(0, 3))
def test_honest_mean_bound_holds_for_any_data(shift, share, sigma):
    shift = np.array(shift) - np.mean(shift)
    n, n_byz, kappa = len(shift), int(share * len(shift)), np.abs(shift).max()
    honest = shift[n_byz:]
    error = honest.mean() ** 2 + sigma**2 / len(honest)
    assert error <= honest_mean_bound(n_byz / n, n, sigma, kappa) * ROUNDING + 1e-12


def test_the_printed_spread_fails():
    """Two honest clients at +kappa and -kappa of the mean, with noise sigma each."""
    sigma, kappa = 0.5, 2.0
    noise = np.random.default_rng(0).normal(0, sigma, (2, 200_000))
    apart = ((kappa + noise[0] - (-kappa + noise[1])) ** 2).mean()
    assert apart == pytest.approx(honest_spread(sigma, kappa), rel=0.01)
    assert honest_spread(sigma, kappa) == pytest.approx(16.5)
    assert honest_spread(sigma, kappa, form="printed") == pytest.approx(8.5)


def test_eta_max_by_hand():
    assert eta_max(0, 0, 0.5) == 1 and eta_max(0.25, 0.0625, 2) == pytest.approx(1.25 / 8)


@pytest.mark.parametrize("rate", [0.2, 1.0])
@pytest.mark.parametrize("b", [0.0, 1.0])
def test_signguard_rate_holds(rate, b):
    """F = L x^2 / 2; honest data 3 at +kappa, 5 at -kappa; bias and noise as bad as allowed."""
    L, n, beta, delta, sigma, kappa, c, T = 2.0, 10, 0.2, 0.1, 1.0, 1.0, 0.5, 150
    eta = rate * eta_max(beta, delta, L)
    rng = np.random.default_rng(0)
    honest = np.array([1.0] * 3 + [-1.0] * 5)
    x = np.full(300, 3.0)
    total = 0.0
    for _ in range(T):
        gradient = L * x
        total += (gradient**2).mean() / T
        g = gradient[:, None] + kappa * honest + rng.normal(0, sigma, (300, 8))
        worst = -np.sqrt(c * delta * (2 * sigma**2 + 4 * kappa**2)) * np.sign(gradient)
        x = x - eta * (g.mean(axis=1) + worst + rng.normal(0, 1, 300) * b)
    bound = signguard_rate_bound(eta, T, L * 9 / 2, 0, L, beta, delta, n, sigma, kappa, c, b)
    assert 0.1 * bound < total < bound


def test_signguard_rate_by_hand():
    # 2 * 9/(.1 * 60) = 3; D2 = 2 * 2 * .3 * 6 + .2 * 1/.64; D1 = 2 * 2 * .09 * 6 + 2 * 4 + 2 * mean
    mean = 0.0625 + 1 / 40
    D1, D2 = 2.16 + 8 + 2 * mean, 7.2 + 0.3125
    arguments = 0.1, 60, 10, 1, 2, 0.2, 0.09, 50, 1, 1, 2, 2
    assert signguard_rate_bound(*arguments) == pytest.approx(3 + 0.4 * D1 + D2)
    D1, D2 = D1 - 0.72, D2 - 2.4  # 4 for 6
    printed = signguard_rate_bound(*arguments, form="printed")
    assert printed == pytest.approx(3 + 0.4 * D1 + D2)
