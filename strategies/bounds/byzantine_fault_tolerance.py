"""signSGD with majority vote against omniscient liars.

Symbols: Q workers, of which alpha Q lie; p = P[an honest worker has the right sign], of one
coordinate or the least of all; S = |g_i| / sigma_i its signal-to-noise ratio, for noise that is
unimodal and symmetric. The strongest liars all send the wrong sign (Theorem 3.5).
Paper: Mengoli et al., On the Byzantine Fault Tolerance of signSGD with Majority Vote, 2025.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Literal

import numpy as np

from signfed.strategies.bounds.domain import (
    Numbers,
    choice,
    count,
    gap,
    not_negative,
    number,
    numbers,
    plain,
    positive,
)

VoteForm = Literal["A", "4B", "B"]
LARGE = 2 / sqrt(3)  # S where the two parts of Gauss' inequality meet
ROUNDING = 1 + 1e-9  # lets an S pass that was computed from p, or p from S


def p_wrong_max(S: Numbers, form: Literal["lemma", "gauss"] = "lemma") -> float | np.ndarray:
    """1 - p <= 1/2 - S / (2 sqrt(4 + S^2)): how often an honest worker has the wrong sign.

    S: elementwise, finite, > 0.
    form: "gauss" is the tighter inequality behind it, 2 / (9 S^2) for S > 2/sqrt(3), else
        1/2 - S / (2 sqrt(3)); uniform noise attains it for small S. It is at most 2 / (9 S^2).

    >>> round(p_wrong_max(1.5), 12), round(p_wrong_max(2.0, form="gauss"), 4)
    (0.2, 0.0556)

    Reference: Mengoli et al. 2025, Lemma 3.6; Bernstein et al. 2018, Lemma 1.
    Deviation from the paper: none.
    """
    choice("form", form, ("lemma", "gauss"))
    S = numbers("S", S, 0, inf, "()")
    if form == "lemma":
        return plain(0.5 - S / (2 * np.hypot(2, S)))
    beyond = np.maximum(S, LARGE)  # keeps the branch that is not taken from overflowing
    return plain(np.where(beyond > LARGE, (sqrt(2) / 3 / beyond) ** 2, 0.5 - S / (2 * sqrt(3))))


def sign_noise_max(S: Numbers) -> float | np.ndarray:
    """p (1-p) / (p - 1/2)^2 <= 4 / S^2: variance over squared margin of one honest sign.

    S: elementwise, finite, > 0. Another form of `p_wrong_max`, which attains it.

    >>> sign_noise_max(2.0)
    1.0

    Reference: Mengoli et al. 2025, Lemma 3.6, second inequality.
    Deviation from the paper: none.
    """
    return plain((2 / numbers("S", S, 0, inf, "()")) ** 2)


def alpha_max(p: Numbers) -> float | np.ndarray:
    """alpha < 1 - 1/(2p): the share of liars below which the honest workers win on average.

    p: elementwise, in (1/2, 1]. Strict. With b liars among n: b < (2p - 1)(n - b).

    >>> alpha_max(1.0), alpha_max(0.625)
    (0.5, 0.2)

    Reference: Mengoli et al. 2025, Theorem 3.7 and section 4.1.
    Deviation from the paper: none; its remarks print <= where the theorem has <.
    """
    p = numbers("p", p, 0.5, 1, "(]")
    return plain((p - 0.5) / p)


def _margin(alpha: float, p: float) -> float:
    """(1 - alpha) p - 1/2 > 0, for p in (1/2, 1] and alpha in [0, alpha_max(p))."""
    p = number("p", p, 0.5, 1, "(]")
    number("alpha", alpha, 0, alpha_max(p), "[)")
    margin = (1 - alpha) * p - 0.5
    if not margin > 0:  # alpha is below its limit by a rounding error only
        raise ValueError(f"alpha: expected a number below 1 - 1/(2p), got {alpha:g}")
    return margin


def vote_failure_cantelli(Q: int, alpha: float, p: float) -> float:
    """P[at most Q/2 votes are right] <= 1 / (1 + x^2), x = Q margin / sqrt(Q (1-alpha) p (1-p)).

    margin = (1-alpha) p - 1/2. Q >= 1; p in (1/2, 1]; 0 <= alpha < alpha_max(p), alpha Q whole.

    >>> round(vote_failure_cantelli(Q=16, alpha=0, p=0.75), 12)  # x^2 = 16 / 3
    0.157894736842

    Reference: Mengoli et al. 2025, proof of Theorem 3.7, Cantelli's inequality.
    Deviation from the paper: stops before 1 + x^2 >= 2x, which loses at least half.
    """
    Q, margin = count("Q", Q, 1), _margin(alpha, p)
    variance = (1 - alpha) * p * (1 - p)
    return variance / (variance + Q * margin**2)


def _vote_constant(Q: int, alpha: float, p: float, form: VoteForm) -> float:
    """c such that the vote of a coordinate with ratio S fails with probability <= c / S."""
    choice("form", form, ("A", "4B", "B"))
    Q, margin = count("Q", Q, 1), _margin(alpha, p)
    if form == "A":
        return sqrt((1 - alpha) * p) / margin / (4 * sqrt(Q))
    return sqrt(1 - alpha) * (p - 0.5) / margin / sqrt(Q) / (4 if form == "B" else 1)


def vote_failure_bound(Q: int, alpha: float, p: float, S: float, form: VoteForm = "A") -> float:
    """The vote on a coordinate is wrong with probability <= c / S, at most 1.

    A:  c = sqrt((1-alpha) p) / ((1-alpha) p - 1/2) / (4 sqrt(Q))
    4B: c = sqrt(1-alpha) (p - 1/2) / ((1-alpha) p - 1/2) / sqrt(Q); 1 / sqrt(Q) at alpha = 0
    Q >= 1; p in (1/2, 1]; 0 <= alpha < alpha_max(p), alpha Q whole. S > 0, and not above what this
    p allows: 1 / (2 sqrt(1-p)) for A, 2 (p - 1/2) / sqrt(p (1-p)) for 4B and B.
    form: "B" is 4B / 4, as the proof ends. INVALID: with uniform noise, Q = 27, alpha = 0 and
        S = .165 it gives .292 where the vote is wrong with probability .308.

    >>> round(vote_failure_bound(Q=100, alpha=0.2, p=0.9, S=1), 4)
    0.0964

    Reference: Mengoli et al. 2025, Theorem 3.7: A its statement, B the end of its proof.
    Deviation from the paper: A rests on 1 - p <= 1/(4 S^2), which follows from Gauss' inequality
    and not from Lemma 3.6; Lemma 3.6 gives 4B, and the proof loses its factor 4.
    """
    c = _vote_constant(Q, alpha, p, form)
    wrong = 1 - p
    if wrong > 0:
        limit = 1 / (2 * sqrt(wrong)) if form == "A" else 2 * (p - 0.5) / sqrt(p * wrong)
        number("S", S, 0, limit * ROUNDING, "(]")
    return min(1.0, c / positive("S", S))


def vote_rate_bound(
    K: int,
    Q: int,
    alpha: float,
    p: float,
    sigma1: float,
    L1: float,
    f0: float,
    fstar: float,
    form: VoteForm = "A",
) -> float:
    """(1/K) sum_k E||g_k||_1 <= (2 / sqrt(K)) (c ||sigma||_1 + sqrt(L1 (f0 - fstar))).

    c: as in `vote_failure_bound`. K >= 1 iterations with mini-batches of K, so N = K^2 gradients
    per worker, and learning rate sqrt((f0 - fstar) / (L1 K)). sigma1 >= 0: sum of the coordinates'
    noise deviations of one gradient. L1 > 0: sum of their smoothness constants. f0 >= fstar.
    p in (1/2, 1]: the least of all coordinates and iterations; 0 <= alpha < alpha_max(p).
    form: "B" is INVALID, as there.

    >>> vote_rate_bound(K=4, Q=4, alpha=0, p=1, sigma1=4, L1=1, f0=1, fstar=0)  # c = 1/4
    2.0

    Reference: Mengoli et al. 2025, Theorem 3.7 (prints the square of both sides).
    Deviation from the paper: says that p is the least one; it nears 1/2 where the gradient
    vanishes, so for alpha > 0 the theorem does not reach critical points.
    """
    c = _vote_constant(Q, alpha, p, form) * not_negative("sigma1", sigma1)
    start = gap("f0", f0, "fstar", fstar)
    return 2 / sqrt(count("K", K, 1)) * (c + sqrt(positive("L1", L1) * start))
