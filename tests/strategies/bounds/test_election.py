"""Election Coding's bounds above binomial tails, simulated votes and codes built row by row."""

from itertools import product
from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from signfed.strategies.bounds.election import (
    alpha_ok,
    det_redundancy,
    election_rate_bound,
    p_star,
    q_local,
    q_star,
)
from signfed.strategies.bounds.exact import majority_vote_error
from tests.strategies.bounds.cases import NOISES, ROUNDING, many, mean_gradient_norm, noises


@many
@given(st.integers(1, 60), st.floats(0.01, 20), noises)
def test_q_local_holds(n_i, S, noise):
    assert majority_vote_error([NOISES[noise](S)] * n_i) <= q_local(n_i, S) * ROUNDING


def test_q_local_by_hand():
    assert q_local(10, 1) == pytest.approx(exp(-1)) and q_local(0, 1) == 1
    assert q_local(4, 2) == pytest.approx(exp(-1)) and q_local(4, 1e200) == pytest.approx(exp(-2))


@many
@given(st.integers(2, 300), st.floats(0.01, 0.999), st.floats(0, 1), st.floats(0.1, 5), noises)
def test_q_star_holds(n, share, above, S, noise):
    C = share * n / (4 * log(n))
    density = p_star(n, C) + above * (1 - p_star(n, C))
    sizes = stats.binom.pmf(np.arange(n + 1), n, min(density, 1.0))
    q = NOISES[noise](S)
    local = [stats.binom.sf((n_i - 1) // 2, n_i, q) if n_i else 1.0 for n_i in range(n + 1)]
    assert sizes @ np.array(local) <= q_star(n, C, S) * ROUNDING


def test_q_star_by_hand():
    assert p_star(15, 0.5) == pytest.approx(0.601, abs=5e-4)
    assert q_star(15, 0.5, 1) == pytest.approx(0.7705, abs=5e-4)  # 2/15 + e^-.4507
    by_size = 2 * 1000**-2.0 + exp(-sqrt(1000 * log(1000)) * 4 / 16)
    assert q_star(1000, 1, 2) == pytest.approx(by_size)
    assert q_star(2, 0.01, 1) == 1


def test_alpha_ok_by_hand():
    assert alpha_ok(101, 10, 0.9) == pytest.approx(0.349, abs=5e-4)
    assert alpha_ok(10**9, 10, 0.8) == pytest.approx(1 - 1 / 1.6, abs=1e-3)
    assert alpha_ok(3, 1e6, 0.6) < 0


@many
@given(st.integers(1, 3000), st.floats(1.01, 1e9), st.floats(0.51, 1))
def test_alpha_ok_solves_hoeffdings_inequality(n, Delta, u):
    honest = n * (1 - alpha_ok(n, Delta, u))
    epsilon = u - n / (2 * honest)
    assert 2 * epsilon**2 * honest == pytest.approx(log(Delta), rel=1e-6)


@pytest.mark.parametrize("n", [15, 51, 101, 501])
@pytest.mark.parametrize("Delta", [2.5, 10, 1000])
@pytest.mark.parametrize("u", [0.6, 0.75, 0.9, 0.99])
def test_alpha_ok_holds_for_independent_nodes(n, Delta, u):
    def error(b):
        return majority_vote_error([1 - u] * (n - b) + [1.0] * b)

    most = int(np.ceil(alpha_ok(n, Delta, u) * n)) - 1  # largest b with b/n < alpha
    if most < 0:
        return
    assert error(most) < 1 / Delta
    at_most = next(b for b in range(n) if error(b) >= 1 / Delta)
    assert at_most - most < 1.6 * sqrt(n)  # what it gives away vanishes as a share


def test_alpha_ok_fails_when_nodes_share_partitions():
    """Theorem 1 sums honest votes as if independent; here all nodes hold all partitions."""
    vote = majority_vote_error([0.2] * 15)  # every node's, hence the server's
    assert alpha_ok(15, 1500, u=1 - vote) > 0
    assert vote == pytest.approx(0.0042, abs=5e-5) and vote > 6 / 1500


def test_alpha_ok_fails_with_lemma_1s_own_u():
    """Connection probability 1 >= p*: the promise is 1e-100, the majority of signs is worse."""
    n, C, S = 1000, 1, 0.5
    assert p_star(n, C) <= 1 and alpha_ok(n, 1e100, u=1 - q_star(n, C, S)) > 0
    assert stats.binom.sf(n // 2 - 1, n, NOISES["uniform"](S)) > 1e-30


@pytest.mark.parametrize("Delta", [4, 20, 1e6])
def test_election_rate_holds_and_is_near(Delta):
    start, L, T = np.linspace(0.5, 2, 12), np.linspace(1, 3, 12), 200
    f0 = float((L * start**2 / 2).sum())
    truth = mean_gradient_norm(1 / Delta, start, L, sqrt(f0 / (T * L.sum())), T)
    bound = election_rate_bound(Delta, f0, 0.0, float(L.sum()), T)
    assert 0.9 * bound < truth < bound


def test_election_rate_by_hand():
    assert election_rate_bound(Delta=8, f0=5, fstar=1, L1=9, T=36) == pytest.approx(2 * 6 / 6)


def deterministic_code(n, b):
    """The matrix, row by row as in the reference: singles, overlapping runs, then all ones."""
    s, Lc = (n - 1) // 2 - b, (n + 1) // (2 * (b + 1))
    G = np.zeros((n, n), dtype=int)
    for j in range(1, n + 1):
        if j <= s:
            G[j - 1, j - 1] = 1
        elif j <= s + Lc:
            first = s + (j - s - 1) * (b + 1) + 1
            G[j - 1, first - 1 : first + 2 * b] = 1
        else:
            G[j - 1] = 1
    return G


REDUNDANCY = {
    (5, 1): 3.8, (5, 2): 5, (7, 1): 4.143, (7, 2): 5.857, (7, 3): 7,
    (9, 1): 5, (9, 2): 6.778, (9, 3): 7.889, (9, 4): 9, (3, 0): 1, (11, 0): 1, (1, 0): 1,
}  # fmt: skip


@pytest.mark.parametrize("n, b", REDUNDANCY)
def test_det_redundancy_table(n, b):
    assert det_redundancy(n, b) == pytest.approx(REDUNDANCY[n, b], abs=5e-4)


@pytest.mark.parametrize("n", range(1, 62, 2))
def test_det_redundancy_counts_the_ones_of_the_code(n):
    for b in range((n - 1) // 2 + 1):
        G = deterministic_code(n, b)
        assert det_redundancy(n, b) == pytest.approx(G.sum() / n, rel=1e-12)
        assert set(G.sum(axis=1)) <= {1, 2 * b + 1, n}


@pytest.mark.parametrize("n, b", [(n, b) for n in (3, 5, 7, 9) for b in range((n - 1) // 2 + 1)])
def test_the_code_that_is_counted_tolerates_exactly_b_byzantine_nodes(n, b):
    G = deterministic_code(n, b)
    messages = np.array(list(product((-1, 1), repeat=n)))
    right = (np.sign(messages @ G.T) == np.sign(messages.sum(axis=1))[:, None]).sum(axis=1)
    assert right.min() - b > n / 2  # Byzantine nodes among those who are right: the worst choice
    assert right.min() - (b + 1) < n / 2


def test_the_code_for_five_nodes_of_which_one_is_byzantine():
    expected = [[1, 0, 0, 0, 0], [0, 1, 1, 1, 0], *[[1] * 5] * 3]
    assert deterministic_code(5, 1).tolist() == expected
