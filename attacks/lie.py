"""Little is enough (LIE)."""

import warnings
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, deviation, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice, Range

EDGE = 1e-6  # where the argument of the quantile stops, at |z| = 4.75
DIRECTIONS = {"minus": -1.0, "plus": 1.0}


def largest_z(n: int, m: int) -> float:
    """Return the largest z that hides: Phi^-1((n - floor(n/2 + 1)) / (n - m)).

    Parameters
    ----------
    n : int
        Number of workers.
    m : int
        How many of them are Byzantine.

    Returns
    -------
    float
        At least 0, since a z below 0 would push the right way. Where there is no such z, as for
        m > n/2, it warns and returns Phi^-1(1 - 1e-6).

    Examples
    --------
    >>> round(largest_z(50, 10), 3)
    0.253
    """
    needed, honest = n - (n // 2 + 1), n - m
    share = needed / honest if honest else 1.0
    if not 0.0 < share < 1.0:
        warnings.warn(
            f"z-max: there is no quantile of {needed}/{honest} (n={n} workers, m={m} Byzantine), "
            f"so it is clipped to {EDGE} .. 1 - {EDGE}; set z instead",
            stacklevel=2,
        )
    return max(0.0, NormalDist().inv_cdf(min(max(share, EDGE), 1.0 - EDGE)))


@attack(knowledge="omniscient", stage="gradient", tensors=True)
def lie(
    view: View,
    *,
    z: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="standard deviations away from the honest mean",
        ),
        Range(0.05, 50.0, log=True),
    ] = 0.3,
    z_max: Annotated[
        bool, Field(description="take the z of Baruch et al. instead"), Choice((False,))
    ] = False,
    direction: Annotated[
        Literal["minus", "plus"], Field(description="which way from the mean")
    ] = "minus",
) -> np.ndarray:
    """Send mu - z s: the honest mean, shifted by a little of the honest deviation.

    mu and s are mean and standard deviation (n - 1 in the denominator) of each coordinate over the
    finite honest rows. One row has s = 0; without any, mu = s = 0.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]; `n_total` for `z_max`.
    z : float, >= 0
        How many deviations.
    z_max : bool
        Whether to take z from `largest_z` instead.
    direction : {"minus", "plus"}
        "plus" sends mu + z s.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> honest = [[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]]
    >>> craft("lie", [[9.0, 9.0]], honest, n_total=4, seed=0, z=0.5)
    array([[2., 1.]], dtype=float32)

    References
    ----------
    Baruch et al. 2019; Xu et al. 2022 (SignGuard), eq. 1 and 2.

    Notes
    -----
    Deviation from the paper: Byzantine workers of Baruch et al. know only their own rows, and the
    code of SignGuard's authors takes in the Byzantine workers' honest gradients too. The z of eq. 2
    is kept at or above 0.
    """
    n_byzantine = len(view.own)
    if z_max:
        z = largest_z(view.n_total, n_byzantine)
    rows = finite(view.honest)
    mu = mean(rows)
    return all_send(mu + DIRECTIONS[direction] * z * deviation(rows, mu), n_byzantine)
