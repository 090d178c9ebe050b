"""The bounds above exact votes under four noises; the lost factor of Theorem 3.7."""

from fractions import Fraction
from itertools import product
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from signfed.strategies.bounds.byzantine_fault_tolerance import (
    alpha_max,
    p_wrong_max,
    sign_noise_max,
    vote_failure_bound,
    vote_failure_cantelli,
    vote_rate_bound,
)
from signfed.strategies.bounds.exact import majority_vote_error
from tests.strategies.bounds.cases import NOISES, ROUNDING, many, noises


@many
@given(st.floats(0.01, 50), noises)
def test_p_wrong_max_holds(S, noise):
    wrong = NOISES[noise](S)
    assert wrong <= p_wrong_max(S, form="gauss") * ROUNDING
    assert p_wrong_max(S, form="gauss") <= p_wrong_max(S) * ROUNDING
    assert p_wrong_max(S, form="gauss") <= 2 / (9 * S * S) * ROUNDING
    p = 1 - wrong
    assert p * wrong / (p - 0.5) ** 2 <= sign_noise_max(S) * ROUNDING


@pytest.mark.parametrize("S", [0.1, 1.0, 1.1, 2 / sqrt(3), 1.2, 5.0, 100.0])
def test_gauss_is_reached(S):
    assert NOISES["spiked"](S) == pytest.approx(p_wrong_max(S, form="gauss"))


@pytest.mark.parametrize("S", [1e-3, 0.5, 1.5, 30.0])
def test_the_two_forms_of_lemma_3_6_are_one(S):
    wrong = p_wrong_max(S)
    assert (1 - wrong) * wrong / (0.5 - wrong) ** 2 == pytest.approx(sign_noise_max(S))


def test_p_wrong_max_by_hand():
    np.testing.assert_allclose(p_wrong_max([1.5, 1e200]), [0.2, 0], atol=1e-16)
    np.testing.assert_allclose(
        p_wrong_max([2.0, sqrt(3) / 2, 1e200], form="gauss"), [1 / 18, 0.25, 0]
    )
    np.testing.assert_allclose(sign_noise_max([2.0, 4.0]), [1, 0.25])


def test_form_a_does_not_follow_from_lemma_3_6():
    assert p_wrong_max(1.0) > 1 / 4 > p_wrong_max(1.0, form="gauss")


@many
@given(st.integers(51, 100), st.integers(1, 60), st.integers(0, 59))
def test_alpha_max_in_numbers_of_workers(percent, n, b):
    assume(b < n)
    p = Fraction(percent, 100)
    assert (Fraction(b, n) < 1 - 1 / (2 * p)) == (b < (2 * p - 1) * (n - b))
    assert alpha_max(float(p)) == pytest.approx(float(1 - 1 / (2 * p)), rel=1e-12)


@pytest.mark.parametrize("p", [0.55, 0.7, 0.9, 1.0])
def test_alpha_max_is_where_many_workers_turn(p):
    Q = 3000
    for share, wins in ((alpha_max(p) - 0.02, True), (alpha_max(p) + 0.02, False)):
        b = round(share * Q)
        error = majority_vote_error([1 - p] * (Q - b) + [1.0] * b)
        assert (error < 0.5) is wins


def test_at_alpha_max_itself_the_vote_is_lost():
    assert alpha_max(0.75) == pytest.approx(100 / 300)
    assert majority_vote_error([0.25] * 200 + [1.0] * 100) > 0.5


@many
@given(st.integers(1, 60), st.floats(0, 1), st.floats(0.01, 20), noises)
def test_vote_failure_bounds_hold(Q, share, S, noise):
    p = 1 - NOISES[noise](S)
    b = int(share * alpha_max(p) * Q)
    assume(b < alpha_max(p) * Q * (1 - 1e-9))
    truth = majority_vote_error([1 - p] * (Q - b) + [1.0] * b)
    cantelli = vote_failure_cantelli(Q, b / Q, p)
    assert truth <= cantelli * ROUNDING
    for form in ("A", "4B"):
        assert cantelli <= vote_failure_bound(Q, b / Q, p, S, form=form) * ROUNDING


def test_vote_failure_by_hand():
    # margin .8 * .9 - .5 = .22
    assert vote_failure_cantelli(100, 0.2, 0.9) == pytest.approx(1 / (1 + 0.22**2 * 100 / 0.072))
    for S in (0.7, 1.4):
        a = sqrt(0.72) / 0.22 / (4 * S * 10)
        b = sqrt(0.8) * 0.4 / 0.22 / (4 * S * 10)
        assert vote_failure_bound(100, 0.2, 0.9, S) == pytest.approx(a)
        assert vote_failure_bound(100, 0.2, 0.9, S, form="4B") == pytest.approx(4 * b)
        assert vote_failure_bound(100, 0.2, 0.9, S, form="B") == pytest.approx(b)
    assert vote_failure_bound(3, 0.0, 0.51, 0.01) == 1


def test_without_byzantine_workers_4b_is_bernsteins():
    assert vote_failure_bound(49, 0.0, 0.7, 0.5, form="4B") == pytest.approx(1 / (0.5 * 7))
    assert vote_rate_bound(16, 49, 0.0, 0.7, 3, 4, 9, 0, form="4B") == pytest.approx(
        2 / 4 * (3 / 7 + 6)
    )


@pytest.mark.parametrize(
    "Q, S, bound, truth", [(27, 0.165, 0.2916, 0.3083), (101, 0.13, 0.1914, 0.2245)]
)
def test_form_b_fails(Q, S, bound, truth):
    p = 1 - NOISES["uniform"](S)
    assert vote_failure_bound(Q, 0, p, S, form="B") == pytest.approx(bound, abs=5e-5)
    assert majority_vote_error([1 - p] * Q) == pytest.approx(truth, abs=5e-5)
    for form in ("A", "4B"):
        assert vote_failure_bound(Q, 0, p, S, form=form) > truth


def test_form_b_fails_often_and_4b_never():
    failures = {"A": 0, "4B": 0, "B": 0}
    for Q, S in product(range(5, 100, 2), np.linspace(0.02, 1, 40)):
        p = 1 - NOISES["uniform"](S)
        truth = majority_vote_error([1 - p] * Q)
        for form in failures:
            failures[form] += truth > vote_failure_bound(Q, 0, p, S, form=form)
    assert failures["A"] == failures["4B"] == 0 and failures["B"] > 100


def test_the_ratio_that_p_itself_implies_is_allowed():
    for S in (0.1, 1.0, 7.0):
        vote_failure_bound(9, 0, 1 - p_wrong_max(S), S, form="4B")
        vote_failure_bound(9, 0, 1 - 1 / (4 * (1 + S) ** 2), 1 + S, form="A")
        vote_failure_bound(9, 0, 1.0, 1e6)


def test_vote_rate_by_hand():
    c = {"A": sqrt(0.72) / 0.22 / 20, "4B": sqrt(0.8) * 0.4 / 0.22 / 5}
    c["B"] = c["4B"] / 4
    for form in ("A", "4B", "B"):
        rate = vote_rate_bound(100, 25, 0.2, 0.9, sigma1=5, L1=4, f0=10, fstar=1, form=form)
        assert rate == pytest.approx(0.2 * (5 * c[form] + 6))


def test_vote_rate_holds():
    """f = sum sqrt(1 + x^2), so far out that K steps do not reach the middle, where p nears 1/2."""
    d, K, Q, b, sigma = 4, 25, 9, 1, 8.0
    rng = np.random.default_rng(0)
    x = np.full((400, d), 60.0)
    f0, fstar, L1 = d * sqrt(1 + 60**2), d * 1.0, d * 1.0
    lr = sqrt((f0 - fstar) / (L1 * K))
    total, least = 0.0, 1.0
    for _ in range(K):
        g = x / np.sqrt(1 + x * x)
        total += np.abs(g).sum(axis=1).mean()
        p = 1 - np.vectorize(NOISES["uniform"])(np.abs(g) * sqrt(K) / sigma)
        least = min(least, p.min())
        right = rng.binomial(Q - b, p)
        x = x - lr * np.sign(g) * np.where(2 * right > Q, 1, -1)
    for form in ("A", "4B"):
        bound = vote_rate_bound(K, Q, b / Q, least, d * sigma, L1, f0, fstar, form=form)
        assert 0.1 * bound < total / K < bound
