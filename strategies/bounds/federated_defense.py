"""signSGD with federated defense (FD).

Symbols: M workers; p_m = P[Y_m != U] cross-over probability of worker m; w_m = ln((1-p_m)/p_m) its
weight; L the number of workers under a stochastic sign flip attack (SSFA), here the first L of p.
Paper: Park & Lee, SignSGD with Federated Defense, ICML 2024.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.strategies.bounds.domain import Lower, Rounds, Smoothness, Start, Workers, on_domain
from signfed.strategies.bounds.intervals import Numbers, at_most, gap

Flippers = Annotated[int, Field(ge=0, description="how many flip (the first of p), at most M")]
FlipRate = Annotated[float, Field(ge=0, le=1, description="how often a bit of theirs is flipped")]
Low = Annotated[float, Field(ge=0, lt=1, description="estimated weights are >= 1-dmin true ones")]
High = Annotated[float, Field(ge=0, description="estimated weights are <= 1+dmax true ones")]


@on_domain
def rate_bound(
    PE: Annotated[
        float, Field(ge=0, lt=0.5, description="largest error of any coordinate and round")
    ],
    f1: Start,
    fstar: Lower,
    L1: Smoothness,
    T: Rounds,
) -> float:
    """Bound the mean gradient norm of any sign vote with decoding errors up to PE.

    (1/T) sum_t E||g_t||_1 <= sqrt(2 (f1 - fstar) L1 / T) / (1 - 2 PE)

    The learning rate is sqrt(2 (f1 - fstar) / (T L1)).

    Examples
    --------
    >>> round(rate_bound(PE=0.25, f1=2, fstar=0, L1=1, T=100), 12)
    0.4

    Notes
    -----
    Deviation: none; the proof's telescoped f^T should be f^(T+1), which is harmless.

    References
    ----------
    Park & Lee 2024, Theorem 4.3, eq. 22.
    """
    return sqrt(2 * gap("f1", f1, "fstar", fstar) * L1 / T) / (1 - 2 * PE)


def _log_odds(p: np.ndarray) -> np.ndarray:
    """ln((1-p)/p), exactly 0 at p = 1/2, infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return np.log1p(-p) - np.log(p)


def _exponents(p: np.ndarray) -> np.ndarray:
    """g(p), elementwise."""
    return 0.5 * (0.5 - p) * _log_odds(p)


@on_domain
def error_exponent(p: Annotated[Numbers, Field(gt=0, lt=1)]) -> float | np.ndarray:
    """Compute what one worker adds to the exponent of federated defense.

    g(p) = (1/2) (1/2 - p) ln((1-p)/p) >= 0, with g(1/2) = 0 and g(1-p) = g(p)

    Examples
    --------
    >>> round(error_exponent(p=0.2), 4), error_exponent(0.5)  # .15 ln 4
    (0.2079, 0.0)

    Notes
    -----
    Deviation: p = 0 and 1 are left out, where g and the weights are infinite.

    References
    ----------
    Park & Lee 2024, Theorem 4.6.
    """
    return _exponents(np.asarray(p))


@on_domain
def fd_bound(p: Workers, dmin: Low = 0.0, dmax: High = 0.0) -> float:
    """Bound the decoding error of federated defense.

    exp(-((1-dmin)/(1+dmax)) sum_m g(p_m)), with g of `error_exponent`

    It holds for p above 1/2 too. Where p_m = 1/2 the estimated weight must be 0.

    Examples
    --------
    >>> round(fd_bound(p=[0.2] * 9 + [0.8] * 6), 5)  # 2^-4.5
    0.04419

    Notes
    -----
    Deviation: none; the second line of eq. 39 should read (w_hat / w) w.

    References
    ----------
    Park & Lee 2024, Theorem 4.4, eq. 24.
    """
    return _decoding_error(float(np.sum(_exponents(np.asarray(p)))), dmin, dmax)


def _decoding_error(exponent: float, dmin: float, dmax: float) -> float:
    return exp(-(1 - dmin) / (1 + dmax) * exponent)


@on_domain
def ssfa(p: Annotated[Numbers, Field(ge=0, le=1)], r: FlipRate) -> float | np.ndarray:
    """Compute the cross-over probability of a worker under a stochastic sign flip attack.

    p + r (1 - 2 p), so 1/2 - ssfa(p, r) = (1 - 2 r) (1/2 - p)

    Examples
    --------
    >>> ssfa(p=0.25, r=1), ssfa(0.25, 0.5)
    (0.75, 0.5)

    Notes
    -----
    Deviation: none.

    References
    ----------
    Park & Lee 2024, eq. 11.
    """
    return np.asarray(p) + r * (1 - 2 * np.asarray(p))


def mixed(p: Numbers, L: int, r: float) -> np.ndarray:
    """Return p after a stochastic sign flip attack of rate r on its first L workers.

    Parameters
    ----------
    p : array_like [M]
    L : int, at most M
    r : float, in [0, 1]
    """
    p = np.array(p, dtype=np.float64)
    first = p[: at_most("L", L, len(p))]
    first += r * (1 - 2 * first)
    return p


@on_domain
def fd_bound_ssfa(p: Workers, L: Flippers, r: FlipRate, dmin: Low = 0.0, dmax: High = 0.0) -> float:
    """Bound the decoding error of federated defense under a stochastic sign flip attack.

    `fd_bound` of p with ssfa(p_m, r) in place of its first L; r = 1 changes nothing, r = 1/2 is
    worst and costs exactly the flippers' votes

    Examples
    --------
    >>> round(fd_bound_ssfa(p=[0.2] * 15, L=6, r=0.5), 5), round(fd_bound([0.2] * 9), 5)
    (0.15389, 0.15389)

    Notes
    -----
    Deviation: g of the attacked p, as in the proof; the statement prints g(p_hat).

    References
    ----------
    Park & Lee 2024, Theorem 4.6, eq. 26.
    """
    return fd_bound(mixed(p, L, r), dmin, dmax)


@on_domain
def fd_bound_special(
    p: Workers,
    L: Flippers,
    r: Annotated[float, Field(ge=0.5, le=1, description="only the ends")],
    dmin: Low = 0.0,
    dmax: High = 0.0,
    form: Literal["valid", "printed"] = "valid",
) -> float:
    """Compute `fd_bound_ssfa` in closed form: r = 1 costs nothing, r = 1/2 the votes of L workers.

    "printed" takes the mean exponent of all M workers for each of the M - L at r = 1/2.

    Warnings
    --------
    printed
        for unequal p: p=1e-6x6,0.45x9 L=6 r=0.5 gives 4e-6, the truth is .379

    Examples
    --------
    >>> round(fd_bound_special(p=[0.2] * 15, L=6, r=1), 5), round(fd_bound([0.2] * 15), 5)
    (0.04419, 0.04419)

    Notes
    -----
    Deviation: eq. 49, which does not assume equal p.

    References
    ----------
    Park & Lee 2024, Corollary 4.7, eq. 27; eq. 49 for unequal p.
    """
    if r not in (0.5, 1):
        raise ValueError(f"r: expected 1 or 0.5, got {r}; fd_bound_ssfa takes any r in [0, 1]")
    exponents, L = _exponents(np.asarray(p)), at_most("L", L, np.size(p))
    if r == 1:
        kept = np.sum(exponents)
    elif form == "valid":
        kept = np.sum(exponents[L:])
    else:
        kept = (len(exponents) - L) * np.mean(exponents)
    return _decoding_error(float(kept), dmin, dmax)


@on_domain
def kearns_saul(p: Annotated[Numbers, Field(ge=0, le=1)], t: float) -> float | np.ndarray:
    """Bound the moment generating function of a centred Bernoulli variable.

    (1-p) e^(-t p) + p e^(t (1-p)) <= exp(t^2 (1-2p) / (4 ln((1-p)/p)))

    Examples
    --------
    >>> round(kearns_saul(p=0.5, t=2), 4), kearns_saul(0.0, 2.0)  # e^(1/2)
    (1.6487, 1.0)

    Notes
    -----
    Deviation: defined by continuity at p = 0, 1/2 and 1, where eq. 35 is 0/0 or 1/0.

    References
    ----------
    Park & Lee 2024, eq. 35; Kearns & Saul 1998, Lemma 1.
    """
    p = np.asarray(p)
    x, odds = 1 - 2 * p, _log_odds(p)
    with np.errstate(over="ignore"):
        return np.exp(t**2 * np.where(x == 0, 0.125, x / np.where(x == 0, 1, 4 * odds)))
