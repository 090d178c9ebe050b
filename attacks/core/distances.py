"""How far min-max and min-sum can go: mu + gamma p within a bound on squared distances."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, like, namespace, zeros
from signfed.attacks.core.rows import centred, deviation

Perturbation = Annotated[
    Literal["std", "unit", "sign"],
    Field(description="minus what the mean is moved by: deviation, unit vector or signs"),
]


def _unit(mu: np.ndarray) -> np.ndarray:
    xp = namespace(mu)
    length = xp.linalg.norm(mu)
    return mu / xp.where(length > 0, length, 1.0)


PERTURBATIONS = {
    "std": lambda rows, mu: -deviation(rows, mu),
    "unit": lambda rows, mu: -_unit(mu),
    "sign": lambda rows, mu: -namespace(mu).sign(mu),
}


def distances(
    rows: np.ndarray, mu: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute what the squared distances from mu + gamma p to the rows depend on.

    ||mu + gamma p - g_i||^2 = a_i + 2 gamma c_i + gamma^2 ||p||^2.

    Parameters
    ----------
    rows : ndarray, float32 [n, N]
        g_i, finite.
    mu, p : ndarray, float64 [N]
        Their mean, and the direction.

    Returns
    -------
    a : ndarray, float64 [n]
        ||mu - g_i||^2.
    c : ndarray, float64 [n]
        <p, mu - g_i>.
    d : ndarray, float64 [n, n]
        ||g_i - g_j||^2.
    """
    xp = namespace(rows)
    gram, c = zeros((len(rows), len(rows)), rows, xp.float64), zeros(len(rows), rows, xp.float64)
    for columns, block in centred(rows, mu):
        gram += block @ block.T
        c -= block @ p[columns]
    a = xp.diagonal(gram)
    return a, c, xp.maximum(a[:, None] + a - 2.0 * gram, 0.0)


def largest_gamma(a: np.ndarray, c: np.ndarray, p2: float, bound: float) -> float:
    """Return the largest gamma >= 0 with a_i + 2 gamma c_i + gamma^2 p2 <= bound for every i.

    Parameters
    ----------
    a, c : ndarray, float64 [n]
        Constant and linear coefficients.
    p2 : float
        ||p||^2. With p2 = 0 nothing moves, and gamma is 0.
    bound : float
        At least max a_i, up to rounding, so that gamma = 0 is feasible.

    Returns
    -------
    float, or a tensor of one
        At least 0.

    Examples
    --------
    1 + 6 gamma + gamma^2 <= 8 holds up to gamma = 1:

    >>> float(largest_gamma(np.array([1.0]), np.array([3.0]), 1.0, 8.0))
    1.0
    """
    if not len(a):
        return 0.0
    xp = namespace(a)
    moves = like(p2, a, xp.float64) > 0  # nothing here asks a device for a value
    room = xp.maximum(bound - a, 0.0)
    root = xp.sqrt(c * c + p2 * room)
    # Both forms are the upper root of the parabola; each is taken where the other one cancels.
    above = room / xp.where(c > 0, c + root, 1.0)
    below = (root - c) / xp.where(moves, p2, 1.0)
    return xp.where(moves, xp.where(c > 0, above, below).min(), 0.0)


def moved(mu: np.ndarray, gamma: float, p: np.ndarray) -> np.ndarray:
    """Return mu + gamma p, with gamma rounded to float32.

    The last bits of the sums in gamma may differ between machines, and must not reach N
    coordinates.

    Parameters
    ----------
    mu, p : ndarray, float64 [N]
        Mean and direction.
    gamma : float
        How far.
    """
    xp = namespace(mu)
    return mu + cast(cast(gamma, xp.float32), xp.float64) * p
