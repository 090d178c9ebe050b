"""Min-Max and Min-Sum: as far out as the honest rows are from one another."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import all_send, centred, deviation, finite, mean
from signfed.attacks.core.view import View, attack


def _unit(mu: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(mu)
    return mu / length if length else mu


PERTURBATIONS = {
    "std": lambda rows, mu: -deviation(rows, mu),
    "unit": lambda rows, mu: -_unit(mu),
    "sign": lambda rows, mu: -np.sign(mu),
}
BOUNDS = {"max": np.max, "min": np.min}
Perturbation = Annotated[
    Literal["std", "unit", "sign"],
    Field(description="minus what the mean is moved by: deviation, unit vector or signs"),
]


def _geometry(rows: np.ndarray, mu: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, ...]:
    """a_i = ||mu - g_i||^2, c_i = <p, mu - g_i>, both [n], and d_ij = ||g_i - g_j||^2, [n, n]."""
    gram, along = np.zeros((len(rows), len(rows))), np.zeros(len(rows))
    for columns, block in centred(rows, mu):
        gram += block @ block.T
        along -= block @ p[columns]
    a = np.diagonal(gram)
    return a, along, np.maximum(0.0, a[:, None] + a - 2.0 * gram)


def largest(a: np.ndarray, c: np.ndarray, p2: float, bound: float) -> float:
    """The largest gamma >= 0 with a_i + 2 gamma c_i + gamma^2 p2 <= bound for every i.

    0 when p2 is 0: then nothing moves.
    """
    room = np.maximum(0.0, bound - a)  # gamma = 0 is always feasible, up to rounding
    if not p2:
        return 0.0
    root = np.sqrt(c * c + p2 * room)
    # Both are the upper root of the parabola; each cancels where the other is taken.
    above = np.divide(room, c + root, out=np.zeros_like(root), where=c > 0)
    return float(np.min(np.where(c > 0, above, (root - c) / p2)))


def _send(
    view: View, perturbation: str, constraint: Callable[..., tuple[np.ndarray, ...]]
) -> np.ndarray:
    """Rows mu + gamma p. constraint: (a, c, d, ||p||^2) -> the arguments of `largest`."""
    rows = finite(view.honest)
    mu = mean(rows)
    p = PERTURBATIONS[perturbation](rows, mu)
    gamma = largest(*constraint(*_geometry(rows, mu, p), p @ p)) if len(rows) else 0.0
    # In float32, so that the last bits of sums, which may differ between machines, do not reach N
    # coordinates.
    return all_send(mu + float(np.float32(gamma)) * p, len(view.own))


@attack(knowledge="omniscient", stage="gradient")
def min_max(view: View, *, perturbation: Perturbation = "std") -> np.ndarray:
    """All send mu + gamma p, no farther from any honest row than two honest rows are apart.

    mu: mean of the honest rows, those with NaN or inf left out. gamma: the largest with
    max_i ||mu + gamma p - g_i|| <= max_ij ||g_i - g_j||; 0 with fewer than two rows.

    perturbation: p, "std" (minus the standard deviation, n - 1 in the denominator), "unit" (minus
        the unit vector of mu) or "sign" (minus the signs of mu).
    Raises ValueError for another.
    Reference: Shejwalkar & Houmansadr 2021; Xu et al. 2022 (SignGuard), eq. 13 and 14.
    Deviation from the paper: gamma is the root of the parabola in gamma, where the authors halve
    steps down to a tolerance.
    """
    return _send(view, perturbation, lambda a, c, d, p2: (a, c, p2, d.max()))


@attack(knowledge="omniscient", stage="gradient")
def min_sum(
    view: View,
    *,
    perturbation: Perturbation = "std",
    bound: Annotated[
        Literal["max", "min"],
        Field(description="which honest row's sum is the bound; min as in the authors' code"),
    ] = "max",
) -> np.ndarray:
    """All send mu + gamma p, not above the honest rows' sums of squared distances.

    As min-max, with gamma the largest with
    sum_i ||mu + gamma p - g_i||^2 <= max_i sum_j ||g_i - g_j||^2.

    perturbation: as for min-max. bound: "max", or "min" for min_i on the right-hand side.
    Raises ValueError for another.
    Reference: Shejwalkar & Houmansadr 2021; Xu et al. 2022 (SignGuard), eq. 13 and 15.
    Deviation from the paper: as for min-max; "min" is what the authors' code does.
    """

    def total(a: np.ndarray, c: np.ndarray, d: np.ndarray, p2: float) -> tuple[np.ndarray, ...]:
        return a.sum(keepdims=True), c.sum(keepdims=True), len(a) * p2, BOUNDS[bound](d.sum(axis=1))

    return _send(view, perturbation, total)
