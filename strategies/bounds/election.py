"""Election Coding: each node votes on several partitions before the server votes on the nodes.

Symbols: n nodes and partitions, b = alpha n liars; n_i partitions at node i; S = |g_k| / sigma_k
the signal-to-noise ratio of one partition's gradient, for noise that is unimodal and symmetric.
A tie counts as an error.
Paper: Sohn et al., Election Coding for Distributed Learning, NeurIPS 2020, and its supplement.
"""

from __future__ import annotations

from math import exp, hypot, inf, log, sqrt

from signfed.strategies.bounds.domain import count, gap, number, positive


def q_local(n_i: int, S: float) -> float:
    """An honest node's local vote is wrong with probability <= exp(-n_i S^2 / (2 (S^2 + 4))).

    n_i >= 0 partitions with independent gradients; S > 0. A node without partitions is wrong.

    >>> round(q_local(10, S=1), 4)  # e^-1
    0.3679

    Reference: Sohn et al. 2020, Lemma E.1.
    Deviation from the paper: none.
    """
    return exp(-count("n_i", n_i, 0) * _hoeffding(S))


def _hoeffding(S: float) -> float:
    """S^2 / (2 (S^2 + 4)): exponent per partition."""
    return (positive("S", S) / hypot(2, S)) ** 2 / 2


def p_star(n: int, C: float) -> float:
    """p* = 2 sqrt(C ln n / n): the connection probability that a Bernoulli code needs.

    n >= 2; C > 0 with 4 C ln n <= n, so that p* <= 1.

    >>> round(p_star(15, C=0.5), 3)  # nine partitions per node: r = 2 or 3 is far below
    0.601

    Reference: Sohn et al. 2020, Lemma 1.
    Deviation from the paper: none.
    """
    n, C = count("n", n, 2), positive("C", C)
    if 4 * C * log(n) > n:
        raise ValueError(f"C: expected at most n / (4 ln n) = {n / (4 * log(n)):.4g}, got {C:g}")
    return 2 * sqrt(C * log(n) / n)


def q_star(n: int, C: float, S: float) -> float:
    """q* = 2 n^(-2C) + exp(-sqrt(C n ln n) S^2 / (2 (S^2 + 4))), at most 1.

    How often an honest node's local vote is wrong, over a Bernoulli code of connection probability
    p >= p*. n >= 2; C > 0 with 4 C ln n <= n; S > 0. Vacuous for small n.

    >>> round(q_star(15, C=0.5, S=1), 2)
    0.77

    Reference: Sohn et al. 2020, Lemma 1 and its proof (E.1).
    Deviation from the paper: none; the proof's "2/n^2C" is 2 n^(-2C).
    """
    partitions = n * p_star(n, C) / 2
    return min(1.0, 2 * n ** (-2 * C) + exp(-partitions * _hoeffding(S)))


def alpha_ok(n: int, Delta: float, u: float) -> float:
    """alpha < 1 - (sqrt(x) + sqrt(x + 4u))^2 / (8 u^2), x = ln(Delta)/n: then P[wrong] < 1/Delta.

    The share of liars below which the vote of n nodes is wrong with probability below 1/Delta;
    negative when no share will do. n >= 1; Delta > 1; u = 1 - max q* in (1/2, 1]: probability that
    an honest node's local vote is right. Tends to 1 - 1/(2u).
    INVALID when nodes share partitions, as all codes with redundancy do: with n = 15, alpha = 0,
    every node holding all partitions and each partition's sign right with probability .8, it
    promises 1/Delta = .0007 where the vote is wrong with probability .0042.

    >>> round(alpha_ok(101, Delta=10, u=0.9), 3)
    0.349

    Reference: Sohn et al. 2020, Theorem 1, from (D.2)-(D.4).
    Deviation from the paper: says that honest nodes must err independently; the proof takes a
    binomial sum of them without a word. "Bern(p_k)" there should be Bern(u_k).
    """
    x = log(number("Delta", Delta, 1, inf, "()")) / count("n", n, 1)
    u = number("u", u, 0.5, 1, "(]")
    return 1 - (sqrt(x) + sqrt(x + 4 * u)) ** 2 / (8 * u**2)


def election_rate_bound(Delta: float, f0: float, fstar: float, L1: float, T: int) -> float:
    """(1/T) sum_t E||g_t||_1 <= (3/2) / (1 - 2/Delta) sqrt(L1 (f0 - fstar) / T).

    Delta > 2: every coordinate's vote is wrong with probability below 1/Delta. f0 >= fstar: the
    objective at the start, and a lower bound of it. L1 > 0: sum of the coordinates' smoothness
    constants. T >= 1 rounds, with the learning rate sqrt((f0 - fstar) / (L1 T)).

    >>> election_rate_bound(Delta=8, f0=4, fstar=0, L1=1, T=100)
    0.4

    Reference: Sohn et al. 2020, Theorem 2.
    Deviation from the paper: none.
    """
    Delta = number("Delta", Delta, 2, inf, "()")
    start = gap("f0", f0, "fstar", fstar)
    return 1.5 / (1 - 2 / Delta) * sqrt(positive("L1", L1) * start / count("T", T, 1))


def det_redundancy(n: int, b: int) -> float:
    """r = (n + 2b + 1)/2 - (Lc - 1/2)(n - 2b - 1)/n, Lc = floor((n + 1) / (2 (b + 1))).

    Mean number of partitions per node of the deterministic code, which tolerates any b liars.
    n odd; 0 <= b <= (n - 1)/2. b = 0 is no code (r = 1), b = (n - 1)/2 gives everything to
    everyone (r = n).

    >>> round(det_redundancy(5, 1), 12), round(det_redundancy(9, 2), 3)
    (3.8, 6.778)

    Reference: Sohn et al. 2020, Theorem 3.
    Deviation from the paper: b = 0 is allowed, the identity.
    """
    n = count("n", n, 1)
    if n % 2 == 0:
        raise ValueError(f"n: expected an odd number of nodes, got {n}")
    b = count("b", b, 0, (n - 1) // 2)
    Lc = (n + 1) // (2 * (b + 1))
    return (n + 2 * b + 1) / 2 - (Lc - 0.5) * (n - 2 * b - 1) / n
