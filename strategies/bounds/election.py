"""Election Coding: each node votes on several partitions before the server votes on the nodes.

Symbols: n nodes and partitions, of which b = alpha n nodes are Byzantine; n_i partitions at node i;
S = |g_k| / sigma_k the signal-to-noise ratio of one partition's gradient, for noise that is
unimodal and symmetric. A tie counts as an error.
Paper: Sohn et al., Election Coding for Distributed Learning, NeurIPS 2020, and its supplement.
"""

from __future__ import annotations

from math import exp, hypot, log, sqrt
from typing import Annotated

from pydantic import Field

from signfed.strategies.bounds.domain import Lower, Rounds, Smoothness, Start, on_domain
from signfed.strategies.bounds.intervals import at_most, gap

Nodes = Annotated[int, Field(ge=2, description="nodes")]
CodeConstant = Annotated[float, Field(gt=0, description="of the code, at most n / (4 ln n)")]
Ratio = Annotated[float, Field(gt=0, description="signal-to-noise ratio of a partition")]


@on_domain
def q_local(
    n_i: Annotated[int, Field(ge=0, description="partitions with independent gradients")], S: Ratio
) -> float:
    """Bound how often the local vote of an honest node is wrong.

    exp(-n_i S^2 / (2 (S^2 + 4))); a node without partitions is wrong

    Examples
    --------
    >>> round(q_local(n_i=10, S=1), 4)  # e^-1
    0.3679

    Notes
    -----
    Deviation: none.

    References
    ----------
    Sohn et al. 2020, Lemma E.1.
    """
    return exp(-n_i * _hoeffding(S))


def _hoeffding(S: float) -> float:
    """S^2 / (2 (S^2 + 4)): exponent per partition."""
    return (S / hypot(2, S)) ** 2 / 2


@on_domain
def p_star(n: Nodes, C: CodeConstant) -> float:
    """Compute the connection probability that a Bernoulli code needs.

    p* = 2 sqrt(C ln n / n)

    Examples
    --------
    >>> round(p_star(n=15, C=0.5), 3)  # nine partitions per node: r = 2 or 3 is far below
    0.601

    Notes
    -----
    Deviation: none.

    References
    ----------
    Sohn et al. 2020, Lemma 1.
    """
    if 4 * C * log(n) > n:
        raise ValueError(f"C: expected at most n / (4 ln n) = {n / (4 * log(n)):.4g}, got {C:g}")
    return 2 * sqrt(C * log(n) / n)


@on_domain
def q_star(n: Nodes, C: CodeConstant, S: Ratio) -> float:
    """Bound how often the local vote of an honest node is wrong, over Bernoulli codes.

    q* = 2 n^(-2C) + exp(-sqrt(C n ln n) S^2 / (2 (S^2 + 4))), at most 1

    The codes have a connection probability p >= p*. For small n the bound says nothing.

    Examples
    --------
    >>> round(q_star(n=1000, C=1, S=1), 6), round(q_star(15, C=0.5, S=1), 2)
    (0.000248, 0.77)

    Notes
    -----
    Deviation: none; the proof's "2/n^2C" is 2 n^(-2C).

    References
    ----------
    Sohn et al. 2020, Lemma 1 and its proof (E.1).
    """
    partitions = n * p_star(n, C) / 2
    return min(1.0, 2 * n ** (-2 * C) + exp(-partitions * _hoeffding(S)))


@on_domain
def alpha_ok(
    n: Annotated[int, Field(ge=1, description="nodes that err independently")],
    Delta: Annotated[float, Field(gt=1)],
    u: Annotated[float, Field(gt=0.5, le=1, description="1 - max q*: local votes that are right")],
) -> float:
    """Bound the share of Byzantine nodes with which the vote is wrong with P < 1/Delta.

    alpha < 1 - (sqrt(x) + sqrt(x + 4u))^2 / (8 u^2) with x = ln(Delta)/n; tends to 1 - 1/(2u)

    Negative when no share is small enough.

    Examples
    --------
    >>> round(alpha_ok(n=101, Delta=10, u=0.9), 3)
    0.349

    Notes
    -----
    INVALID when nodes share partitions, as in all codes with redundancy: with n = 15, alpha = 0,
    every node holding all partitions and each partition's sign right with probability .8, it
    promises 1/Delta = .0007 where the vote is wrong with probability .0042.

    Deviation: requires that honest nodes err independently. The paper's proof uses a binomial sum
    of them and does not say so. "Bern(p_k)" there should be Bern(u_k).

    References
    ----------
    Sohn et al. 2020, Theorem 1, from (D.2)-(D.4).
    """
    x = log(Delta) / n
    return 1 - (sqrt(x) + sqrt(x + 4 * u)) ** 2 / (8 * u**2)


@on_domain
def election_rate_bound(
    Delta: Annotated[float, Field(gt=2)],
    f0: Start,
    fstar: Lower,
    L1: Smoothness,
    T: Rounds,
) -> float:
    """Bound the mean gradient norm when each coordinate's vote is wrong with P < 1/Delta.

    (1/T) sum_t E||g_t||_1 <= (3/2) / (1 - 2/Delta) sqrt(L1 (f0 - fstar) / T)

    The learning rate is sqrt((f0 - fstar) / (L1 T)).

    Examples
    --------
    >>> election_rate_bound(Delta=8, f0=4, fstar=0, L1=1, T=100)
    0.4

    Notes
    -----
    Deviation: none.

    References
    ----------
    Sohn et al. 2020, Theorem 2.
    """
    return 1.5 / (1 - 2 / Delta) * sqrt(L1 * gap("f0", f0, "fstar", fstar) / T)


@on_domain
def det_redundancy(
    n: Annotated[int, Field(ge=1, description="nodes, an odd number")],
    b: Annotated[int, Field(ge=0, description="Byzantine nodes, at most (n - 1)/2")],
) -> float:
    """Compute the mean number of partitions per node of the deterministic code.

    r = (n + 2b + 1)/2 - (Lc - 1/2)(n - 2b - 1)/n with Lc = floor((n + 1) / (2 (b + 1)))

    b = 0 is no code (r = 1); b = (n - 1)/2 gives all partitions to all nodes (r = n).

    Examples
    --------
    >>> round(det_redundancy(n=5, b=1), 12), round(det_redundancy(9, 2), 3)
    (3.8, 6.778)

    Notes
    -----
    Deviation: b = 0 is allowed, the identity.

    References
    ----------
    Sohn et al. 2020, Theorem 3.
    """
    if n % 2 == 0:
        raise ValueError(f"n: expected an odd number of nodes, got {n}")
    b = at_most("b", b, (n - 1) // 2)
    Lc = (n + 1) // (2 * (b + 1))
    return (n + 2 * b + 1) / 2 - (Lc - 0.5) * (n - 2 * b - 1) / n
