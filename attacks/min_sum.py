"""Min-Sum."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

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
def min_sum(
    view: View,
    *,
    perturbation: Perturbation = "std",
    bound: Annotated[
        Literal["max", "min"],
        Field(description="which honest row's sum is the bound; min as in the authors' code"),
    ] = "max",
) -> np.ndarray:
    """Send mu + gamma p, with a sum of squared distances within that of an honest row.

    mu and p are those of `min-max`, and gamma is the largest with
    sum_i ||mu + gamma p - g_i||^2 <= max_i sum_j ||g_i - g_j||^2.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    perturbation : {"std", "unit", "sign"}
        p, as for `min-max`.
    bound : {"max", "min"}
        "min" takes min_i on the right-hand side.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    The honest rows 0, 3 and 9 have the mean 4; the largest sum is 81 + 36 = 117, and so is that of
    -1, 1 + 16 + 100:

    >>> from signfed import craft
    >>> craft("min-sum", [[5.0]], [[0.0], [3.0], [9.0]], n_total=4, seed=0).round(4)
    array([[-1.]], dtype=float32)

    References
    ----------
    Shejwalkar & Houmansadr 2021; Xu et al. 2022 (SignGuard), eq. 13 and 15.

    Notes
    -----
    Deviation from the paper: as for `min-max`; "min" is what the authors' code does.
    """
    honest = finite(view.honest)
    mu = mean(honest)
    p = PERTURBATIONS[perturbation](honest, mu)
    a, c, d = distances(honest, mu, p)
    sums = d.sum(axis=1)
    limit = (sums.max() if bound == "max" else sums.min()) if len(d) else 0.0
    gamma = largest_gamma(a.sum()[None], c.sum()[None], len(a) * (p @ p), limit)
    return all_send(moved(mu, gamma, p), len(view.own))
