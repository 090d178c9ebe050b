"""SignGuard: what Byzantine workers and non-IID data do to the mean of the honest gradients.

Symbols: n clients, of which beta n are Byzantine and at most delta n pass the filters; F = mean of
all F_i is L-smooth; E||g_i - grad F_i||^2 <= sigma^2 and ||grad F_i - grad F||^2 <= kappa^2; gbar
the mean of the honest gradients, ghat SignGuard's output, with
(E||ghat - gbar||)^2 <= c delta sup_ij E||g_i - g_j||^2 and variance at most b^2 (Assumption 2).
Paper: Xu et al., Byzantine-robust Federated Learning through Collaborative Malicious Gradient
Filtering (SignGuard), ICDCS 2022.
"""

from __future__ import annotations

from math import sqrt
from typing import Annotated, Literal

from pydantic import Field

from signfed.strategies.bounds.domain import Lower, Rounds, Start, on_domain
from signfed.strategies.bounds.intervals import gap, number

SpreadForm = Literal["valid", "printed"]
Clients = Annotated[int, Field(ge=1, description="clients")]
Beta = Annotated[float, Field(ge=0, lt=0.5, description="share of Byzantine clients")]
Delta = Annotated[
    float, Field(ge=0, description="share that passes the filters, below beta or 0 with beta = 0")
]
Sigma = Annotated[float, Field(ge=0, description="noise of a gradient")]
Kappa = Annotated[float, Field(ge=0, description="distance of a client's true gradient")]
Smoothness = Annotated[float, Field(gt=0, description="smoothness of F")]
Constant = Annotated[float, Field(ge=0, description="of Assumption 2")]


@on_domain
def honest_mean_bound(beta: Beta, n: Clients, sigma: Sigma, kappa: Kappa) -> float:
    """Bound the squared distance from the honest mean to the true gradient.

    E||gbar - grad F||^2 <= beta^2 kappa^2 / (1-beta)^2 + sigma^2 / ((1-beta) n)

    Attained when the honest clients agree and the data of the Byzantine ones differ by kappa.

    Examples
    --------
    >>> round(honest_mean_bound(beta=0.2, n=50, sigma=2, kappa=4), 12)  # 1 + 4/40
    1.1

    Notes
    -----
    Deviation: none.

    References
    ----------
    Xu et al. 2022, Lemma 1, eq. 12.
    """
    return (beta * kappa / (1 - beta)) ** 2 + sigma**2 / ((1 - beta) * n)


@on_domain
def honest_spread(sigma: Sigma, kappa: Kappa, form: SpreadForm = "valid") -> float:
    """Bound the squared distance of two honest gradients.

    E||g_i - g_j||^2 <= 2 sigma^2 + 4 kappa^2 for honest i, j; "printed" is 2 (sigma^2 + kappa^2)

    Warnings
    --------
    printed
        sigma=0 kappa=1 gives 2; gradients at +kappa and -kappa are 4 apart

    Examples
    --------
    >>> honest_spread(sigma=1, kappa=1), honest_spread(sigma=1, kappa=1, form="printed")
    (6.0, 4.0)

    Notes
    -----
    Deviation: 4 kappa^2 for 2 kappa^2. Two clients whose gradients differ by kappa from the mean in
    opposite directions are 2 kappa apart.

    References
    ----------
    Xu et al. 2022, proof of Theorem 1.
    """
    return 2 * sigma**2 + (4 if form == "valid" else 2) * kappa**2


@on_domain
def eta_max(beta: Beta, delta: Delta, L: Smoothness) -> float:
    """Compute the learning rate up to which SignGuard's rate holds.

    eta <= (2 - sqrt(delta) - 2 beta) / (4 L)

    Examples
    --------
    >>> eta_max(beta=0.25, delta=0.0625, L=1)
    0.3125

    Notes
    -----
    Deviation: none.

    References
    ----------
    Xu et al. 2022, Theorem 1.
    """
    delta = number("delta", delta, 0, beta, "[)" if beta > 0 else "[]")
    return (2 - sqrt(delta) - 2 * beta) / (4 * L)


@on_domain
def signguard_rate_bound(
    eta: Annotated[float, Field(gt=0, description="learning rate, at most eta_max")],
    T: Rounds,
    F0: Start,
    Fstar: Lower,
    L: Smoothness,
    beta: Beta,
    delta: Delta,
    n: Clients,
    sigma: Sigma,
    kappa: Kappa,
    c: Constant,
    b: Constant,
    form: SpreadForm = "valid",
) -> float:
    """Bound the mean squared gradient norm of SignGuard.

    (1/T) sum_t E||grad F(x_t)||^2 <= 2 (F0 - Fstar) / (eta T) + 2 L eta D1 + D2

    D1 = 2 c delta V + 2 b^2 + 2 `honest_mean_bound`,
    D2 = 2 c sqrt(delta) V + beta kappa^2 / (1-beta)^2, V = `honest_spread`

    Warnings
    --------
    printed
        its proof needs honest_spread's printed form, which does not hold

    Examples
    --------
    >>> round(signguard_rate_bound(eta=0.25, T=80, F0=10, Fstar=0, L=1, beta=0.2, delta=0, n=50,
    ...     sigma=2, kappa=4, c=1, b=0), 12)  # 1 + 1.1 + 5
    7.1

    Notes
    -----
    Deviation: V. The paper's proof cites Lemma 1 as "Lemma 2", and writes var||ghat|| for
    var||ghat - gbar|| and E||gbar - grad F|| for the norm of that mean; the result stands.

    References
    ----------
    Xu et al. 2022, Theorem 1.
    """
    eta = number("eta", eta, 0, eta_max(beta, delta, L), "(]")
    spread = honest_spread(sigma, kappa, form)
    D1 = 2 * c * delta * spread + 2 * b**2 + 2 * honest_mean_bound(beta, n, sigma, kappa)
    D2 = 2 * c * sqrt(delta) * spread + beta * kappa**2 / (1 - beta) ** 2
    return 2 * gap("F0", F0, "Fstar", Fstar) / (eta * T) + 2 * L * eta * D1 + D2
