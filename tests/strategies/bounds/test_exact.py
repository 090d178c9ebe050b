"""The exact vote errors against their definition, a binomial tail, and hand calculation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from signfed.strategies.bounds.exact import majority_vote_error, weighted_vote_error
from tests.strategies.bounds.cases import lists, many, unit


@many
@given(lists(st.tuples(unit, st.integers(-3, 3)), most=6))
def test_weighted_vote_error_by_the_definition(workers):
    p, w = zip(*workers, strict=True)
    wrong = 0.0
    for votes in product((1, -1), repeat=len(p)):
        if sum(w_m * y for w_m, y in zip(w, votes, strict=True)) <= 0:
            wrong += np.prod([q if y < 0 else 1 - q for q, y in zip(p, votes, strict=True)])
    assert weighted_vote_error(p, w) == pytest.approx(wrong, abs=1e-12)


@many
@given(lists(unit, most=11))
def test_majority_vote_error_is_the_vote_of_equal_weights(p):
    expected = pytest.approx(weighted_vote_error(p, np.ones(len(p))), abs=1e-12)
    assert majority_vote_error(p) == expected
    assert majority_vote_error(p[::-1]) == expected


@pytest.mark.parametrize("M", [1, 2, 201, 1000])
def test_majority_vote_error_of_equals_is_a_binomial_tail(M):
    expected = stats.binom.sf((M - 1) // 2, M, 0.47)
    assert majority_vote_error([0.47] * M) == pytest.approx(expected, rel=1e-9)


def test_a_tie_is_an_error():
    assert majority_vote_error([0.5, 0.5]) == 0.75
    assert weighted_vote_error([0.3, 0.3], [1, 1]) == pytest.approx(1 - 0.49)
    assert 0.1 + 0.2 - 0.3 > 0  # only by rounding
    assert weighted_vote_error([0.0, 0.0, 0.0], [0.1, 0.2, -0.3]) == 1
    assert weighted_vote_error([0.0, 0.0, 0.0], [1e8, 2e8, 0.1 - 3e8]) == 0
    assert weighted_vote_error([0.0, 0.0, 0.0], [1e8 / 3, 2e8 / 3, -1e8]) == 1
    assert weighted_vote_error([0.0, 0.0, 0.0], [1e-13, 1e-13, -1e-13]) == 0
    assert weighted_vote_error([0.5, 0.5]) == 1  # nobody has a say


def test_no_error_is_above_one():
    for q in np.linspace(0.95, 1, 200):
        assert 0.99 < majority_vote_error([q] * 39) <= 1
        assert 0.99 < weighted_vote_error([1 - q] * 14, [0] * 14) <= 1


def test_twenty_workers_are_enumerated():
    assert weighted_vote_error([0.3] * 20) == pytest.approx(majority_vote_error([0.3] * 20))
