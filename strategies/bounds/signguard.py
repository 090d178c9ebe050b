"""SignGuard: what a share of liars and non-IID data do to the mean of the honest gradients.

Symbols: n clients, of which beta n lie and at most delta n pass the filters; F = mean of all F_i
is L-smooth; E||g_i - grad F_i||^2 <= sigma^2 and ||grad F_i - grad F||^2 <= kappa^2; gbar the mean
of the honest gradients, ghat SignGuard's output, with
(E||ghat - gbar||)^2 <= c delta sup_ij E||g_i - g_j||^2 and variance at most b^2 (Assumption 2).
Paper: Xu et al., Byzantine-robust Federated Learning through Collaborative Malicious Gradient
Filtering (SignGuard), ICDCS 2022.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from signfed.strategies.bounds.domain import choice, count, gap, not_negative, number, positive

SpreadForm = Literal["valid", "printed"]


def honest_mean_bound(beta: float, n: int, sigma: float, kappa: float) -> float:
    """E||gbar - grad F||^2 <= beta^2 kappa^2 / (1-beta)^2 + sigma^2 / ((1-beta) n).

    beta in [0, 1/2), beta n whole; n >= 1; sigma, kappa >= 0. Attained when the honest clients
    agree and the liars' data differ by kappa.

    >>> round(honest_mean_bound(beta=0.2, n=50, sigma=2, kappa=4), 12)  # 1 + 4/40
    1.1

    Reference: Xu et al. 2022, Lemma 1, eq. 12.
    Deviation from the paper: none.
    """
    beta = number("beta", beta, 0, 0.5, "[)")
    bias = beta * not_negative("kappa", kappa) / (1 - beta)
    return bias**2 + not_negative("sigma", sigma) ** 2 / ((1 - beta) * count("n", n, 1))


def honest_spread(sigma: float, kappa: float, form: SpreadForm = "valid") -> float:
    """E||g_i - g_j||^2 <= 2 sigma^2 + 4 kappa^2 for honest i, j.

    sigma, kappa >= 0.
    form: "printed" is 2 (sigma^2 + kappa^2). INVALID: two clients whose gradients differ by kappa
        from the mean in opposite directions are 2 kappa apart.

    >>> honest_spread(sigma=1, kappa=1), honest_spread(sigma=1, kappa=1, form="printed")
    (6.0, 4.0)

    Reference: Xu et al. 2022, proof of Theorem 1.
    Deviation from the paper: 4 kappa^2 for 2 kappa^2.
    """
    choice("form", form, ("valid", "printed"))
    between = 4 if form == "valid" else 2
    return 2 * not_negative("sigma", sigma) ** 2 + between * not_negative("kappa", kappa) ** 2


def _shares(beta: float, delta: float) -> tuple[float, float]:
    beta = number("beta", beta, 0, 0.5, "[)")
    return beta, number("delta", delta, 0, beta, "[)" if beta > 0 else "[]")


def eta_max(beta: float, delta: float, L: float) -> float:
    """eta <= (2 - sqrt(delta) - 2 beta) / (4 L): the learning rate up to which the rate holds.

    beta in [0, 1/2); delta in [0, beta), or 0 with beta = 0; L > 0.

    >>> eta_max(beta=0.25, delta=0.0625, L=1)
    0.3125

    Reference: Xu et al. 2022, Theorem 1.
    Deviation from the paper: none.
    """
    beta, delta = _shares(beta, delta)
    return (2 - sqrt(delta) - 2 * beta) / (4 * positive("L", L))


def signguard_rate_bound(
    eta: float,
    T: int,
    F0: float,
    Fstar: float,
    L: float,
    beta: float,
    delta: float,
    n: int,
    sigma: float,
    kappa: float,
    c: float,
    b: float,
    form: SpreadForm = "valid",
) -> float:
    """(1/T) sum_t E||grad F(x_t)||^2 <= 2 (F0 - Fstar) / (eta T) + 2 L eta D1 + D2.

    D1 = 2 c delta V + 2 b^2 + 2 `honest_mean_bound`, D2 = 2 c sqrt(delta) V + beta kappa^2 /
    (1-beta)^2, V = `honest_spread`. 0 < eta <= `eta_max`; T >= 1; F0 >= Fstar; L > 0;
    beta in [0, 1/2); delta in [0, beta), or 0 with beta = 0; n >= 1; sigma, kappa, c, b >= 0.
    form: "printed" takes V = 2 (sigma^2 + kappa^2), which is INVALID: nothing proves this form.

    >>> round(signguard_rate_bound(0.25, 80, F0=10, Fstar=0, L=1, beta=0.2, delta=0, n=50,
    ...     sigma=2, kappa=4, c=1, b=0), 12)  # 1 + 1.1 + 5
    7.1

    Reference: Xu et al. 2022, Theorem 1.
    Deviation from the paper: V. Its proof cites Lemma 1 as "Lemma 2", and writes var||ghat|| for
    var||ghat - gbar|| and E||gbar - grad F|| for the norm of that mean; the result stands.
    """
    beta, delta = _shares(beta, delta)
    eta = number("eta", eta, 0, eta_max(beta, delta, L), "(]")
    c, spread = not_negative("c", c), honest_spread(sigma, kappa, form)
    mean = honest_mean_bound(beta, n, sigma, kappa)
    D1 = 2 * c * delta * spread + 2 * not_negative("b", b) ** 2 + 2 * mean
    D2 = 2 * c * sqrt(delta) * spread + beta * kappa**2 / (1 - beta) ** 2
    start = gap("F0", F0, "Fstar", Fstar)
    return 2 * start / (eta * count("T", T, 1)) + 2 * L * eta * D1 + D2
