"""signSGD with majority vote against omniscient Byzantine workers.

Symbols: Q workers, of which alpha Q are Byzantine; p = P[an honest worker has the right sign], of
one coordinate or the least of all; S = |g_i| / sigma_i its signal-to-noise ratio, for noise that is
unimodal and symmetric. The strongest Byzantine workers all send the wrong sign (Theorem 3.5).
Paper: Mengoli et al., On the Byzantine Fault Tolerance of signSGD with Majority Vote, 2025.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.strategies.bounds.domain import Lower, Smoothness, Start, on_domain
from signfed.strategies.bounds.intervals import Numbers, gap, number

VoteForm = Literal["A", "4B", "B"]
Ratio = Annotated[Numbers, Field(gt=0, description="signal-to-noise ratios")]
Workers = Annotated[int, Field(ge=1, description="workers")]
Alpha = Annotated[
    float, Field(ge=0, description="share of Byzantine workers, below 1 - 1/(2p), alpha Q whole")
]
Right = Annotated[
    float, Field(gt=0.5, le=1, description="how often an honest worker has the right sign")
]
LARGE = 2 / sqrt(3)  # S where the two parts of Gauss' inequality meet
ROUNDING = 1 + 1e-9  # lets an S pass that was computed from p, or p from S


@on_domain
def p_wrong_max(S: Ratio, form: Literal["lemma", "gauss"] = "lemma") -> float | np.ndarray:
    """Bound the wrong-sign rate of an honest worker by its signal-to-noise ratio.

    1 - p <= 1/2 - S / (2 sqrt(4 + S^2))

    "gauss" is the tighter inequality behind it: 2 / (9 S^2) for S > 2/sqrt(3), else
    1/2 - S / (2 sqrt(3)). Uniform noise attains it for small S.

    Examples
    --------
    >>> round(p_wrong_max(S=1.5), 12), round(p_wrong_max(2.0, form="gauss"), 4)
    (0.2, 0.0556)

    Notes
    -----
    Deviation: none.

    References
    ----------
    Mengoli et al. 2025, Lemma 3.6; Bernstein et al. 2018, Lemma 1.
    """
    S = np.asarray(S)
    if form == "lemma":
        return 0.5 - S / (2 * np.hypot(2, S))
    beyond = np.maximum(S, LARGE)  # keeps the branch that is not taken from overflowing
    return np.where(beyond > LARGE, (sqrt(2) / 3 / beyond) ** 2, 0.5 - S / (2 * sqrt(3)))


@on_domain
def sign_noise_max(S: Ratio) -> float | np.ndarray:
    """Bound the variance of an honest sign over its squared margin.

    p (1-p) / (p - 1/2)^2 <= 4 / S^2, which `p_wrong_max` attains

    Examples
    --------
    >>> sign_noise_max(S=2.0)
    1.0

    Notes
    -----
    Deviation: none.

    References
    ----------
    Mengoli et al. 2025, Lemma 3.6, second inequality.
    """
    return (2 / np.asarray(S)) ** 2


@on_domain
def alpha_max(p: Annotated[Numbers, Field(gt=0.5, le=1)]) -> float | np.ndarray:
    """Bound the share of Byzantine workers with which honest workers win a vote on average.

    alpha < 1 - 1/(2p): with b Byzantine workers among n, b < (2p - 1)(n - b)

    Examples
    --------
    >>> alpha_max(p=0.625), alpha_max(1.0)
    (0.2, 0.5)

    Notes
    -----
    Deviation: none; the paper's remarks print <= where the theorem has <.

    References
    ----------
    Mengoli et al. 2025, Theorem 3.7 and section 4.1.
    """
    return _alpha_max(np.asarray(p))


def _alpha_max(p: np.ndarray) -> np.ndarray:
    return (p - 0.5) / p


def _margin(alpha: float, p: float) -> float:
    """(1 - alpha) p - 1/2 > 0, for alpha in [0, alpha_max(p))."""
    number("alpha", alpha, 0, float(_alpha_max(np.asarray(p))), "[)")
    margin = (1 - alpha) * p - 0.5
    if not margin > 0:  # alpha is below its limit by a rounding error only
        raise ValueError(f"alpha: expected a number below 1 - 1/(2p), got {alpha:g}")
    return margin


@on_domain
def vote_failure_cantelli(Q: Workers, alpha: Alpha, p: Right) -> float:
    """Bound the probability that a majority vote is wrong, by the share of Byzantine workers.

    P[at most Q/2 votes are right] <= 1 / (1 + x^2) with
    x = Q ((1-alpha) p - 1/2) / sqrt(Q (1-alpha) p (1-p))

    Examples
    --------
    >>> round(vote_failure_cantelli(Q=16, alpha=0, p=0.75), 12)  # x^2 = 16 / 3
    0.157894736842

    Notes
    -----
    Deviation: stops before 1 + x^2 >= 2x, which loses at least half.

    References
    ----------
    Mengoli et al. 2025, proof of Theorem 3.7, Cantelli's inequality.
    """
    margin, variance = _margin(alpha, p), (1 - alpha) * p * (1 - p)
    return variance / (variance + Q * margin**2)


def _vote_constant(Q: int, alpha: float, p: float, form: VoteForm) -> float:
    """c such that the vote of a coordinate with ratio S fails with probability <= c / S."""
    margin = _margin(alpha, p)
    if form == "A":
        return sqrt((1 - alpha) * p) / margin / (4 * sqrt(Q))
    return sqrt(1 - alpha) * (p - 0.5) / margin / sqrt(Q) / (4 if form == "B" else 1)


@on_domain
def vote_failure_bound(
    Q: Workers,
    alpha: Alpha,
    p: Right,
    S: Annotated[float, Field(gt=0, description="signal-to-noise ratio, which p limits")],
    form: VoteForm = "A",
) -> float:
    """Bound the probability that a majority vote is wrong, by the signal-to-noise ratio as well.

    c / S, at most 1, with
    A:  c = sqrt((1-alpha) p) / ((1-alpha) p - 1/2) / (4 sqrt(Q))
    4B: c = sqrt(1-alpha) (p - 1/2) / ((1-alpha) p - 1/2) / sqrt(Q)
    B:  4B / 4, as the proof ends

    S is at most 1 / (2 sqrt(1-p)) for A, and 2 (p - 1/2) / sqrt(p (1-p)) for 4B and B.

    Warnings
    --------
    B
        uniform noise, Q=27 alpha=0 S=.165 gives .292, the truth is .308

    Examples
    --------
    >>> round(vote_failure_bound(Q=100, alpha=0.2, p=0.9, S=1), 4)
    0.0964

    Notes
    -----
    Deviation: A rests on 1 - p <= 1/(4 S^2), which follows from Gauss' inequality and not from
    Lemma 3.6. Lemma 3.6 gives 4B, and the proof loses its factor 4.

    References
    ----------
    Mengoli et al. 2025, Theorem 3.7: A its statement, B the end of its proof.
    """
    c, wrong = _vote_constant(Q, alpha, p, form), 1 - p
    limit = inf
    if wrong > 0:
        limit = 1 / (2 * sqrt(wrong)) if form == "A" else 2 * (p - 0.5) / sqrt(p * wrong)
    return min(1.0, c / number("S", S, 0, limit * ROUNDING, "(]"))


@on_domain
def vote_rate_bound(
    K: Annotated[int, Field(ge=1, description="iterations, and size of a mini-batch")],
    Q: Workers,
    alpha: Alpha,
    p: Right,
    sigma1: Annotated[float, Field(ge=0, description="noise deviations, summed over coordinates")],
    L1: Smoothness,
    f0: Start,
    fstar: Lower,
    form: VoteForm = "A",
) -> float:
    """Bound the mean gradient norm of a majority vote with Byzantine workers.

    (1/K) sum_k E||g_k||_1 <= (2 / sqrt(K)) (c ||sigma||_1 + sqrt(L1 (f0 - fstar))),
    with c of `vote_failure_bound`

    A worker computes K^2 gradients; the learning rate is sqrt((f0 - fstar) / (L1 K)).

    Warnings
    --------
    B
        it rests on a vote failure probability that is too small by a factor 4

    Examples
    --------
    >>> vote_rate_bound(K=4, Q=4, alpha=0, p=1, sigma1=4, L1=1, f0=1, fstar=0)  # c = 1/4
    2.0

    Notes
    -----
    Deviation: says that p is the least one. It nears 1/2 where the gradient vanishes, so for
    alpha > 0 the theorem does not reach critical points.

    References
    ----------
    Mengoli et al. 2025, Theorem 3.7 (prints the square of both sides).
    """
    c = _vote_constant(Q, alpha, p, form) * sigma1
    return 2 / sqrt(K) * (c + sqrt(L1 * gap("f0", f0, "fstar", fstar)))
