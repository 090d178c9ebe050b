"""Min-Max."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.distances import (
    PERTURBATIONS,
    Perturbation,
    distances,
    largest_gamma,
    moved,
)
from signfed.attacks.core.rows import all_send, finite, mean
from signfed.attacks.core.view import View


@attack(knowledge="omniscient", stage="gradient", tensors=True)
def min_max(view: View, *, perturbation: Perturbation = "std") -> np.ndarray:
    """Send mu + gamma p, no farther from any honest row than two honest rows are apart.

    mu is the mean of the finite honest rows g_i, and gamma the largest with
    max_i ||mu + gamma p - g_i|| <= max_ij ||g_i - g_j||; it is 0 with fewer than two rows.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    perturbation : {"std", "unit", "sign"}
        p: minus the standard deviation of each coordinate (n - 1 in the denominator), minus the
        unit vector of mu, or minus the signs of mu.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    The honest rows have the mean 5, and 1 and 10 are 9 apart; 1 is as far from 10:

    >>> from signfed import craft
    >>> craft("min-max", [[5.0]], [[1.0], [4.0], [10.0]], n_total=4, seed=0).round(4)
    array([[1.]], dtype=float32)

    References
    ----------
    Shejwalkar & Houmansadr 2021; Xu et al. 2022 (SignGuard), eq. 13 and 14.

    Notes
    -----
    Deviation from the paper: gamma is the root of the parabola in gamma, where the authors halve
    steps down to a tolerance.
    """
    honest = finite(view.honest)
    mu = mean(honest)
    p = PERTURBATIONS[perturbation](honest, mu)
    a, c, d = distances(honest, mu, p)
    gamma = largest_gamma(a, c, p @ p, d.max() if len(d) else 0.0)
    return all_send(moved(mu, gamma, p), len(view.own))
