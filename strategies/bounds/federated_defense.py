"""signSGD with federated defense (FD), and with majority vote (MV) beside it.

Symbols: M workers; p_m = P[Y_m != U] cross-over probability of worker m; w_m = ln((1-p_m)/p_m) its
weight; L the number of workers under a stochastic sign flip attack (SSFA), here the first L of p.
Paper: Park & Lee, SignSGD with Federated Defense, ICML 2024.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Literal

import numpy as np

from signfed.strategies.bounds.domain import (
    Numbers,
    choice,
    count,
    finite,
    gap,
    not_negative,
    number,
    numbers,
    plain,
    positive,
    workers,
)


def rate_bound(PE: float, f1: float, fstar: float, L1: float, T: int) -> float:
    """(1/T) sum_t E||g_t||_1 <= sqrt(2 (f1 - fstar) L1 / T) / (1 - 2 PE), whatever decodes.

    PE: largest decoding error probability of any coordinate and round, in [0, 1/2).
    f1 >= fstar: objective at the start, and a lower bound of it. L1 > 0: sum of the coordinates'
    smoothness constants. T >= 1 rounds, with the learning rate sqrt(2 (f1 - fstar) / (T L1)).

    >>> round(rate_bound(PE=0.25, f1=2, fstar=0, L1=1, T=100), 12)
    0.4

    Reference: Park & Lee 2024, Theorem 4.3, eq. 22.
    Deviation from the paper: none; the proof's telescoped f^T should be f^(T+1), harmless.
    """
    PE = number("PE", PE, 0, 0.5, "[)")
    start = gap("f1", f1, "fstar", fstar)
    return sqrt(2 * start * positive("L1", L1) / count("T", T, 1)) / (1 - 2 * PE)


def _log_odds(p: np.ndarray) -> np.ndarray:
    """ln((1-p)/p), exactly 0 at p = 1/2, infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return np.log1p(-p) - np.log(p)


def error_exponent(p: Numbers) -> float | np.ndarray:
    """g(p) = (1/2) (1/2 - p) ln((1-p)/p): what one worker adds to FD's exponent.

    p: elementwise, in (0, 1). g >= 0, g(1/2) = 0, g(1-p) = g(p): a liar is worth a friend.

    >>> round(error_exponent(0.2), 4), error_exponent(0.5)  # .15 ln 4
    (0.2079, 0.0)

    Reference: Park & Lee 2024, Theorem 4.6.
    Deviation from the paper: p = 0 and 1 are left out, where g and the weights are infinite.
    """
    p = numbers("p", p, 0, 1, "()")
    return plain(0.5 * (0.5 - p) * _log_odds(p))


def _weight_loss(dmin: float, dmax: float) -> float:
    """(1 - dmin) / (1 + dmax) for 1 - dmin <= w_hat / w <= 1 + dmax (eq. 23)."""
    return (1 - number("dmin", dmin, 0, 1, "[)")) / (1 + not_negative("dmax", dmax))


def fd_bound(p: Numbers, dmin: float = 0.0, dmax: float = 0.0) -> float:
    """FD decodes a coordinate wrongly with probability <= exp(-((1-dmin)/(1+dmax)) sum_m g(p_m)).

    p: [M] in (0, 1), above 1/2 too. 0 <= dmin < 1 and dmax >= 0: the estimated weights lie between
    1 - dmin and 1 + dmax times the true ones, and are 0 where p_m = 1/2 (there the ratio is 0/0).

    >>> round(fd_bound([0.2] * 15), 5)  # 2^-4.5
    0.04419

    Reference: Park & Lee 2024, Theorem 4.4, eq. 24.
    Deviation from the paper: none; the second line of eq. 39 should read (w_hat / w) w.
    """
    p = workers("p", p)
    return exp(-_weight_loss(dmin, dmax) * float(np.sum(error_exponent(p))))


def _mv_exponent(p: np.ndarray) -> float:
    """M (pb - (1/2) ln(2 e pb)) with pb the mean of p; infinite at pb = 0."""
    mean = float(p.mean())
    return len(p) * (mean - 0.5 * (1 + log(2 * mean))) if mean > 0 else np.inf


def mv_bound(p: Numbers, form: Literal["valid", "printed"] = "valid") -> float:
    """MV decodes a coordinate wrongly with probability <= exp(-M (pb - (1/2) ln(2 e pb))).

    p: [M] in [0, 1], pb its mean. 1 for pb >= 1/2.
    form: "printed" applies the formula to any pb. INVALID for pb > 1/2: with M = 15 and p = .8 it
        gives .377 where the vote is wrong with probability .996.

    >>> round(mv_bound([0.1] * 15), 5), mv_bound([0.8] * 15)
    (0.00231, 1.0)

    Reference: Park & Lee 2024, Theorem 4.5, eq. 25.
    Deviation from the paper: says 1 for pb >= 1/2; the proof's s = ln(1/(2 pb)) must be positive.
    Its preamble defines Z_m with the vote where it means Y_m.
    """
    choice("form", form, ("valid", "printed"))
    p = workers("p", p, "[]")
    if form == "valid" and p.mean() >= 0.5:
        return 1.0
    return exp(-_mv_exponent(p))


def ssfa(p: Numbers, r: float) -> float | np.ndarray:
    """p + r (1 - 2 p): cross-over probability of a worker whose bits are flipped w.p. r.

    p: elementwise, in [0, 1]. r in [0, 1]; r = 1 inverts every sign (SIA).
    Law: 1/2 - ssfa(p, r) = (1 - 2 r) (1/2 - p).

    >>> ssfa(0.25, 0.5), ssfa(0.25, 1.0)
    (0.5, 0.75)

    Reference: Park & Lee 2024, eq. 11.
    Deviation from the paper: none.
    """
    return plain(numbers("p", p, 0, 1) + number("r", r, 0, 1) * (1 - 2 * np.asarray(p)))


def _mixed(p: np.ndarray, L: int, r: float) -> np.ndarray:
    """p after an SSFA on its first L workers."""
    return np.concatenate([ssfa(p[:L], r), p[L:]])


def fd_bound_ssfa(p: Numbers, L: int, r: float, dmin: float = 0.0, dmax: float = 0.0) -> float:
    """`fd_bound` when the first L of M workers flip each bit with probability r.

    p: [M] in (0, 1), without the attack. 0 <= L <= M. r in [0, 1]. dmin, dmax: as in `fd_bound`.
    r = 1 changes nothing, r = 1/2 is worst and costs exactly the flippers' votes.

    >>> fd_bound_ssfa([0.2] * 15, L=6, r=0.5) == fd_bound([0.2] * 9)
    True

    Reference: Park & Lee 2024, Theorem 4.6, eq. 26.
    Deviation from the paper: g of the attacked p, as in the proof; the statement prints g(p_hat).
    """
    p = workers("p", p)
    return fd_bound(_mixed(p, count("L", L, 0, len(p)), r), dmin, dmax)


def fd_bound_special(
    p: Numbers,
    L: int,
    r: float,
    dmin: float = 0.0,
    dmax: float = 0.0,
    form: Literal["valid", "printed"] = "valid",
) -> float:
    """`fd_bound_ssfa` in closed form for r = 1 (no loss at all) and r = 1/2 (L workers lost).

    p, L, dmin, dmax: as in `fd_bound_ssfa`. r: 1 or 1/2.
    form: "printed" takes the mean exponent of all M workers for each of the M - L at r = 1/2.
        INVALID for unequal p: nine workers at .45 and six flippers that were at 1e-6 give 4e-6
        where FD is wrong with probability .379.

    >>> fd_bound_special([0.2] * 15, L=6, r=1) == fd_bound([0.2] * 15)
    True

    Reference: Park & Lee 2024, Corollary 4.7, eq. 27; eq. 49 for unequal p.
    Deviation from the paper: eq. 49, which does not assume equal p.
    """
    choice("form", form, ("valid", "printed"))
    p = workers("p", p)
    L = count("L", L, 0, len(p))
    if r not in (0.5, 1):
        raise ValueError(f"r: expected 1 or 0.5, got {r}; fd_bound_ssfa takes any r in [0, 1]")
    exponents, loss = error_exponent(p), _weight_loss(dmin, dmax)
    if r == 1:
        return exp(-loss * float(np.sum(exponents)))
    kept = np.sum(exponents[L:]) if form == "valid" else (len(p) - L) * np.mean(exponents)
    return exp(-loss * float(kept))


def mv_epsilon(p: Numbers, L: int, r: float) -> float:
    """eps = -(M/2) ln(mean mixed p / mean p) - r L ln(2 mean of p over the flippers).

    p: [M] in (0, 1), without the attack; 0 <= L <= M; r in [0, 1].

    >>> round(mv_epsilon([0.1] * 15, L=6, r=1), 3)  # the other terms sum to 1.214
    -1.107

    Reference: Park & Lee 2024, proof of Theorem 4.8, eq. 54.
    Deviation from the paper: which calls eps sufficiently small; it is not. Eq. 54 lacks tildes.
    """
    p = workers("p", p)
    L = count("L", L, 0, len(p))
    drift = -len(p) / 2 * log(_mixed(p, L, r).mean() / p.mean())
    return float(drift - r * L * log(2 * p[:L].mean())) if L else float(drift)


def mv_bound_ssfa(
    p: Numbers, L: int, r: float, form: Literal["valid", "printed", "without-eps"] = "valid"
) -> float:
    """`mv_bound` when the first L of M workers flip each bit with probability r.

    p: [M] in (0, 1), without the attack; 0 <= L <= M; r in [0, 1]. "valid": `mv_bound` of the
    mixed p, so 1 once their mean reaches 1/2.
    form: "printed" is exp(-(M gamma_M - 2 r L gamma_L + eps)), the same number by algebra, but
        INVALID for a mixed mean above 1/2 (p = .1, M = 15, L = 10, r = 1: .797 < .954).
        "without-eps" drops the eps that the paper calls small: INVALID (p = .05, M = 15, L = 6,
        r = 1/2: .00182 < .00206).

    >>> round(mv_bound_ssfa([0.05] * 15, L=6, r=0.5), 4)
    0.1697

    Reference: Park & Lee 2024, Theorem 4.8, eq. 28, 51 and 55.
    Deviation from the paper: eq. 51 of the proof, and 1 where that does not hold. The paper's "MV
    matches FD at r = 1/2" compares two loose exponents.
    """
    choice("form", form, ("valid", "printed", "without-eps"))
    p = workers("p", p)
    L = count("L", L, 0, len(p))
    mixed = _mixed(p, L, r)
    if form == "valid":
        return mv_bound(mixed)
    flippers = 2 * r * _mv_exponent(p[:L]) if L else 0.0
    eps = mv_epsilon(p, L, r) if form == "printed" else 0.0
    return exp(-max(0.0, _mv_exponent(p) - flippers + eps))


def kearns_saul(p: Numbers, t: float) -> float | np.ndarray:
    """(1-p) e^(-t p) + p e^(t (1-p)) <= exp(t^2 (1-2p) / (4 ln((1-p)/p))): moments of a Bernoulli.

    p: elementwise, in [0, 1]; the coefficient of t^2 is 1/8 at p = 1/2 and 0 at 0 and 1. t finite.

    >>> round(kearns_saul(0.5, 2.0), 4), kearns_saul(0.0, 2.0)  # e^(1/2)
    (1.6487, 1.0)

    Reference: Kearns & Saul 1998, Lemma 1; Park & Lee 2024, eq. 35.
    Deviation from the paper: defined by continuity at p = 0, 1/2 and 1, where eq. 35 is 0/0 or 1/0.
    """
    p, t = numbers("p", p, 0, 1), finite("t", t)
    x, odds = 1 - 2 * p, _log_odds(p)
    with np.errstate(over="ignore"):
        return plain(np.exp(t**2 * np.where(x == 0, 0.125, x / np.where(x == 0, 1, 4 * odds))))
