"""FD's and MV's bounds above enumerated votes and an exactly followed walk; printed slips."""

from math import cosh, exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from signfed.strategies.bounds.exact import majority_vote_error, weighted_vote_error
from signfed.strategies.bounds.federated_defense import (
    error_exponent,
    fd_bound,
    fd_bound_special,
    fd_bound_ssfa,
    kearns_saul,
    rate_bound,
    ssfa,
)
from signfed.strategies.bounds.majority_vote import mv_bound, mv_bound_ssfa, mv_epsilon
from tests.strategies.bounds.cases import (
    ROUNDING,
    after_flips,
    flipped,
    lists,
    llr,
    many,
    mean_gradient_norm,
    probability,
    unit,
)


@pytest.mark.parametrize("p", [0.1, 0.2, 0.45, 0.9])
def test_error_exponent_is_the_papers(p):
    assert error_exponent(p) == pytest.approx(0.5 * (0.5 - p) * log((1 - p) / p), rel=1e-12)


def test_error_exponent_is_exact_in_the_middle_and_far_out():
    assert error_exponent(0.5) == 0
    for x in (1e-3, 1e-7):  # g(1/2 - x) = x artanh(2x) = 2 x^2 + ...
        assert error_exponent(0.5 - x) == pytest.approx(2 * x * x, rel=1e-5)
    assert error_exponent(1e-300) == pytest.approx(75 * log(10), rel=1e-12)


def test_fd_bound_by_hand():
    # sum g = 15 * 1/2 * .3 * ln 4 = 4.5 ln 2
    assert fd_bound([0.2] * 15) == pytest.approx(2**-4.5)
    assert fd_bound([0.2] * 15, dmin=0.5, dmax=1) == pytest.approx(2 ** (-4.5 / 4))
    assert fd_bound([0.1, 0.3]) == pytest.approx(9**-0.2 * (7 / 3) ** -0.1)


@many
@given(lists(probability), st.floats(0, 0.9), st.floats(0, 3), st.integers(0, 2**32 - 1))
def test_fd_bound_holds_for_any_weights_within_the_margins(p, dmin, dmax, seed):
    rng = np.random.default_rng(seed)
    ends = 1 - dmin, 1 + dmax
    for factors in (rng.choice(ends, len(p)), rng.uniform(*ends, len(p))):
        assert weighted_vote_error(p, factors * llr(p)) <= fd_bound(p, dmin, dmax) * ROUNDING


def test_fd_bound_is_nearly_reached():
    """Two workers just better than a coin tie half of the time."""
    assert weighted_vote_error([0.499, 0.499]) / fd_bound([0.499, 0.499]) > 0.749


@many
@given(lists(probability), st.integers(0, 2**8 - 1))
def test_fd_cares_for_no_inversion(p, which):
    mirrored = [1 - q if which >> m & 1 else q for m, q in enumerate(p)]
    assert fd_bound(mirrored) == pytest.approx(fd_bound(p), rel=1e-9)
    inverted = [-w if which >> m & 1 else w for m, w in enumerate(llr(p))]
    assert weighted_vote_error(mirrored, inverted) == pytest.approx(
        weighted_vote_error(p, llr(p)), rel=1e-9
    )


def test_coin_flippers_are_worth_nothing():
    assert fd_bound([0.5] * 7) == 1
    assert fd_bound([0.2, 0.5, 0.3, 0.5]) == fd_bound([0.2, 0.3])


@many
@given(lists(unit))
def test_mv_bound_holds(p):
    assert majority_vote_error(p) <= mv_bound(p) * ROUNDING


@pytest.mark.parametrize("pb", [0.01, 0.1, 0.3, 0.45, 0.5, 0.6, 0.9])
def test_mv_bound_is_the_best_that_the_proof_can_give(pb):
    """min over s >= 0 of exp(-M s/2 + M pb (e^s - 1)), eq. 43; s = 0 gives 1."""
    best = minimize_scalar(lambda s: -s / 2 + pb * (exp(s) - 1), bounds=(0, 9), method="bounded")
    assert mv_bound([pb] * 15) == pytest.approx(min(1, exp(15 * best.fun)), rel=1e-3)


def test_mv_bound_takes_the_mean():
    assert mv_bound([0.1, 0.3, 0.2]) == pytest.approx(mv_bound([0.2] * 3))
    assert mv_bound([0.0, 0.0]) == 0
    assert mv_bound([0.4, 0.6]) == 1


def test_no_mv_bound_is_above_one():
    for mean in 0.5 - np.logspace(-16, -3, 500):
        assert 0.9 < mv_bound([mean] * 15) <= 1


def test_the_printed_mv_bound_fails_where_most_are_wrong():
    p = [0.8] * 15
    assert mv_bound(p, form="printed") == pytest.approx(0.377, abs=5e-4)
    assert majority_vote_error(p) == pytest.approx(0.996, abs=5e-4)
    assert mv_bound(p) == 1
    assert mv_bound([0.2] * 15, form="printed") == mv_bound([0.2] * 15)


@many
@given(unit, unit, unit)
def test_ssfa_is_a_second_channel(p, r, s):
    assert ssfa(p, r) == pytest.approx(p * (1 - r) + (1 - p) * r, abs=1e-15)
    assert 0.5 - ssfa(p, r) == pytest.approx((1 - 2 * r) * (0.5 - p), abs=1e-15)
    assert ssfa(ssfa(p, r), s) == pytest.approx(ssfa(p, ssfa(r, s)), abs=1e-15)
    assert (ssfa(p, 0.0), ssfa(p, 1.0), ssfa(p, 0.5)) == (p, p + (1 - 2 * p), 0.5)


def test_ssfa_works_elementwise():
    np.testing.assert_allclose(ssfa([0.1, 0.9], 0.25), [0.3, 0.7])


@many
@given(flipped(), unit)
def test_fd_bound_ssfa_holds(case, r):
    p, L = case
    attacked = after_flips(p, L, r)
    assert fd_bound_ssfa(p, L, r, 0.2, 0.5) == pytest.approx(fd_bound(attacked, 0.2, 0.5), rel=1e-9)
    assume(all(abs(q - 0.5) > 1e-6 for q in attacked))  # at 1/2 the weight must be exactly 0
    assert weighted_vote_error(attacked, llr(attacked)) <= fd_bound_ssfa(p, L, r) * ROUNDING


@many
@given(flipped())
def test_inverting_changes_nothing_and_coin_flipping_loses_the_flippers(case):
    p, L = case
    for form in ("valid", "printed"):
        assert fd_bound_special(p, L, 1, form=form) == pytest.approx(fd_bound(p))
    assert fd_bound_ssfa(p, L, 1) == pytest.approx(fd_bound(p))
    kept = fd_bound(p[L:], 0.1, 0.2) if len(p) > L else 1
    assert fd_bound_special(p, L, 0.5, 0.1, 0.2) == pytest.approx(kept)
    assert fd_bound_ssfa(p, L, 0.5, 0.1, 0.2) == pytest.approx(kept)
    coins = after_flips(p, L, 0.5)
    if 0 < L < len(p):
        without = weighted_vote_error(p[L:], llr(p[L:]))
        assert weighted_vote_error(coins, [0] * L + list(llr(p[L:]))) == pytest.approx(without)


def test_the_printed_special_case_needs_equal_workers():
    equal = fd_bound_special([0.2] * 15, 6, 0.5, form="printed")
    assert equal == pytest.approx(fd_bound_special([0.2] * 15, 6, 0.5)) == pytest.approx(2**-2.7)
    p = [1e-6] * 6 + [0.45] * 9
    assert fd_bound_special(p, 6, 0.5, form="printed") == pytest.approx(3.87e-6, rel=2e-3)
    assert weighted_vote_error(p[6:]) == pytest.approx(0.379, abs=5e-4)
    assert fd_bound_special(p, 6, 0.5) > 0.379


def test_with_equal_workers_the_majority_vote_is_federated_defense():
    """So "MV matches FD at r = 1/2" compares two loose exponents, not two rules."""
    assert majority_vote_error([0.2] * 9) == pytest.approx(weighted_vote_error([0.2] * 9))
    assert fd_bound([0.2] * 9) != pytest.approx(mv_bound([0.2] * 9), rel=0.2)


@many
@given(flipped(), unit)
def test_mv_bound_ssfa_holds_and_is_the_printed_one_below_one_half(case, r):
    p, L = case
    attacked = after_flips(p, L, r)
    assert majority_vote_error(attacked) <= mv_bound_ssfa(p, L, r) * ROUNDING
    assert mv_bound_ssfa(p, L, r) == pytest.approx(mv_bound(attacked), rel=1e-9, abs=1e-12)
    printed = mv_bound(attacked, form="printed")
    assert mv_bound_ssfa(p, L, r, form="printed") == pytest.approx(printed, rel=1e-9, abs=1e-12)


def test_epsilon_is_not_small():
    p = [0.1] * 15
    eps = -7.5 * log(0.42 / 0.1) - 6 * log(0.2)
    assert mv_epsilon(p, 6, 1) == pytest.approx(eps) == pytest.approx(-1.107, abs=5e-4)
    main = 15 * (0.1 - 0.5 * log(0.2 * np.e)) - 12 * (0.1 - 0.5 * log(0.2 * np.e))
    assert main == pytest.approx(1.214, abs=5e-4)
    assert mv_bound_ssfa(p, 6, 1, form="without-eps") == pytest.approx(exp(-main))
    assert mv_bound_ssfa(p, 6, 1) == pytest.approx(exp(-main - eps))
    assert mv_epsilon(p, 0, 1) == 0 == mv_epsilon(p, 6, 0)


def test_epsilon_weighs_the_flippers_own_mean():
    p = [0.1, 0.2, 0.3]
    eps = -1.5 * log((0.6 + 2 * 0.25 - 0.5 * 0.3) / 0.6) - 0.25 * 2 * log(2 * 0.15)
    assert mv_epsilon(p, 2, 0.25) == pytest.approx(eps)


def test_without_epsilon_theorem_4_8_fails():
    p = [0.05] * 15
    truth = majority_vote_error(after_flips(p, 6, 0.5))
    assert truth == pytest.approx(0.00206, abs=5e-6)
    assert mv_bound_ssfa(p, 6, 0.5, form="without-eps") == pytest.approx(0.00182, abs=5e-6)
    assert mv_bound_ssfa(p, 6, 0.5) > truth


def test_with_epsilon_theorem_4_8_fails_where_most_are_wrong():
    p = [0.1] * 15
    assert mv_bound_ssfa(p, 10, 1, form="printed") == pytest.approx(0.797, abs=5e-4)
    assert majority_vote_error(after_flips(p, 10, 1)) == pytest.approx(0.954, abs=5e-4)
    assert mv_bound_ssfa(p, 10, 1) == 1


def test_an_exponent_below_zero_is_a_bound_of_one():
    assert mv_bound_ssfa([0.1] * 5000, 5000, 1, form="without-eps") == 1


@many
@given(unit, st.floats(-20, 20))
def test_kearns_saul_holds(p, t):
    moment = (1 - p) * exp(-t * p) + p * exp(t * (1 - p))
    assert moment <= kearns_saul(p, t) * ROUNDING


@pytest.mark.parametrize("p", [1e-9, 0.01, 0.2, 0.499, 0.6, 0.99])
def test_kearns_saul_is_reached(p):
    t = 2 * log((1 - p) / p)
    moment = (1 - p) * exp(-t * p) + p * exp(t * (1 - p))
    assert kearns_saul(p, t) == pytest.approx(moment, rel=1e-6)


def test_kearns_saul_is_continuous():
    for x in (0.0, 1e-16, 1e-13, 1e-9, 1e-5):
        assert kearns_saul(0.5 - x, 2.0) == pytest.approx(exp(0.5), rel=1e-8)
    np.testing.assert_array_equal(kearns_saul([0, 1], 3.0), 1)
    assert kearns_saul(1e-20, 50.0) == pytest.approx(exp(2500 / (4 * 20 * log(10))))
    assert kearns_saul(0.5, 1e3) == inf
    assert kearns_saul(0.5, 0.01) == pytest.approx(cosh(0.005), rel=1e-9)


@pytest.mark.parametrize("T, near", [(20, 0.5), (200, 0.9)])
@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
def test_rate_bound_holds_and_is_near(wrong, T, near):
    start, L = np.linspace(0.5, 2, 12), np.linspace(1, 3, 12)
    f1 = float((L * start**2 / 2).sum())
    truth = mean_gradient_norm(wrong, start, L, sqrt(2 * f1 / (T * L.sum())), T)
    bound = rate_bound(wrong, f1, 0.0, float(L.sum()), T)
    assert near * bound < truth < bound


def test_rate_bound_by_hand():
    assert rate_bound(0.25, f1=3, fstar=1, L1=4, T=100) == pytest.approx(2 * 0.4)
    assert rate_bound(0.0, f1=-1, fstar=-1, L1=4, T=100) == 0
