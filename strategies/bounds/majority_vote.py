"""signSGD with majority vote (MV), as the paper on federated defense bounds it.

Symbols: as in federated_defense.
Paper: Park & Lee, SignSGD with Federated Defense, ICML 2024.
"""

from __future__ import annotations

from math import exp, log
from typing import Literal

import numpy as np

from signfed.strategies.bounds.domain import AllWorkers, Workers, on_domain
from signfed.strategies.bounds.federated_defense import Flippers, FlipRate, mixed


def _mv_exponent(p: np.ndarray) -> float:
    """M (pb - (1/2) ln(2 e pb)) with pb the mean of p; infinite at pb = 0."""
    mean = float(p.mean())
    return len(p) * (mean - 0.5 * (1 + log(2 * mean))) if mean > 0 else np.inf


@on_domain
def mv_bound(p: AllWorkers, form: Literal["valid", "printed"] = "valid") -> float:
    """Bound the decoding error of the majority vote.

    exp(-M (pb - (1/2) ln(2 e pb))), with pb the mean of p; 1 for pb >= 1/2

    "printed" applies the formula to any pb.

    Warnings
    --------
    printed
        for a mean p above 1/2: p=0.8x15 gives .377, the truth is .996

    Examples
    --------
    >>> round(mv_bound(p=[0.1] * 15), 5), mv_bound([0.8] * 15)
    (0.00231, 1.0)

    Notes
    -----
    Deviation: says 1 for pb >= 1/2; the proof's s = ln(1/(2 pb)) must be positive. The preamble of
    the theorem defines Z_m with the vote where it means Y_m.

    References
    ----------
    Park & Lee 2024, Theorem 4.5, eq. 25.
    """
    p = np.asarray(p)
    if form == "valid" and p.mean() >= 0.5:
        return 1.0
    return exp(-_mv_exponent(p))


@on_domain
def mv_epsilon(p: Workers, L: Flippers, r: FlipRate) -> float:
    """Compute the eps that Theorem 4.8 calls small.

    eps = -(M/2) ln(mean mixed p / mean p) - r L ln(2 mean of p over the flippers)

    Examples
    --------
    >>> round(mv_epsilon(p=[0.1] * 15, L=6, r=1), 3)  # the other terms sum to 1.214
    -1.107

    Notes
    -----
    Deviation: the paper calls eps sufficiently small; it is not. Eq. 54 lacks tildes.

    References
    ----------
    Park & Lee 2024, eq. 54, in the proof of Theorem 4.8.
    """
    p = np.asarray(p)
    drift = -len(p) / 2 * log(mixed(p, L, r).mean() / p.mean())
    return float(drift - r * L * log(2 * p[:L].mean())) if L else float(drift)


@on_domain
def mv_bound_ssfa(
    p: Workers,
    L: Flippers,
    r: FlipRate,
    form: Literal["valid", "printed", "without-eps"] = "valid",
) -> float:
    """Bound the decoding error of the majority vote under a stochastic sign flip attack.

    `mv_bound` of p with ssfa(p_m, r) in place of its first L, so 1 once the mean reaches 1/2

    "printed" is exp(-(M gamma_M - 2 r L gamma_L + eps)), by algebra the formula of `mv_bound` for
    any mean. "without-eps" drops the eps that the paper calls small.

    Warnings
    --------
    printed
        for a mixed mean above 1/2: p=0.1x15 L=10 r=1 gives .797, the truth is .954
    without-eps
        p=0.05x15 L=6 r=0.5 gives .00182, the truth is .00206

    Examples
    --------
    >>> round(mv_bound_ssfa(p=[0.05] * 15, L=6, r=0.5), 4)
    0.1697

    Notes
    -----
    Deviation: eq. 51 of the proof, and 1 where that does not hold. The paper's "MV matches FD at
    r = 1/2" compares two loose exponents.

    References
    ----------
    Park & Lee 2024, Theorem 4.8, eq. 28, 51 and 55.
    """
    p = np.asarray(p)
    if form == "valid":
        return mv_bound(mixed(p, L, r))
    flippers = 2 * r * _mv_exponent(p[:L]) if L else 0.0
    eps = mv_epsilon(p, L, r) if form == "printed" else 0.0
    return exp(-max(0.0, _mv_exponent(p) - flippers + eps))
