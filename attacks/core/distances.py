"""How far min-max and min-sum can go: mu + gamma p within a bound on squared distances."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import centred, deviation

Perturbation = Annotated[
    Literal["std", "unit", "sign"],
    Field(description="minus what the mean is moved by: deviation, unit vector or signs"),
]


def _unit(mu: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(mu)
    return mu / length if length else mu


PERTURBATIONS = {
    "std": lambda rows, mu: -deviation(rows, mu),
    "unit": lambda rows, mu: -_unit(mu),
    "sign": lambda rows, mu: -np.sign(mu),
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
    gram, c = np.zeros((len(rows), len(rows))), np.zeros(len(rows))
    for columns, block in centred(rows, mu):
        gram += block @ block.T
        c -= block @ p[columns]
    a = np.diagonal(gram)
    return a, c, np.maximum(0.0, a[:, None] + a - 2.0 * gram)


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
    float
        At least 0.

    Examples
    --------
    1 + 6 gamma + gamma^2 <= 8 holds up to gamma = 1:

    >>> largest_gamma(np.array([1.0]), np.array([3.0]), 1.0, 8.0)
    1.0
    """
    if not p2:
        return 0.0
    room = np.maximum(0.0, bound - a)
    root = np.sqrt(c * c + p2 * room)
    # Both forms are the upper root of the parabola; each is taken where the other one cancels.
    above = np.divide(room, c + root, out=np.zeros_like(root), where=c > 0)
    return float(np.min(np.where(c > 0, above, (root - c) / p2)))


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
    return mu + float(np.float32(gamma)) * p
