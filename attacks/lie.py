"""Little is enough (LIE)."""

import warnings
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import all_send, deviation, finite, mean
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Choice, Range

EDGE = 1e-6  # where the argument of the quantile stops, at |z| = 4.75
DIRECTIONS = {"minus": -1.0, "plus": 1.0}


def largest_z(n: int, m: int) -> float:
    """The largest z that hides among the honest: Phi^-1((n - floor(n/2 + 1)) / (n - m)).

    n workers, m of them attackers. At least 0: below, the attackers would push the right way.
    Warns and stops at Phi^-1(1 - 1e-6) when there is no such z, as for m > n/2.
    """
    needed, honest = n - (n // 2 + 1), n - m
    share = needed / honest if honest else 1.0
    if not 0.0 < share < 1.0:
        warnings.warn(
            f"z-max: no quantile of {needed}/{honest} (n={n} workers, m={m} attackers), clipped "
            f"to {EDGE} .. 1 - {EDGE}; set z instead",
            stacklevel=2,
        )
    return max(0.0, NormalDist().inv_cdf(min(max(share, EDGE), 1.0 - EDGE)))


@attack(knowledge="omniscient", stage="gradient")
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
    """All send mu - z s, the honest mean shifted by a little of the honest deviation.

    mu, s: mean and standard deviation (n - 1 in the denominator) of each coordinate over the
    honest rows, those with NaN or inf left out. One row has s = 0; without any, mu = s = 0.

    z: >= 0 and finite. z_max: take the z of eq. 2 instead. direction: "minus", or "plus" for
        mu + z s.
    Raises ValueError for another z or direction.
    Reference: Baruch et al. 2019; Xu et al. 2022 (SignGuard), eq. 1 and 2.
    Deviation from the paper: Baruch's attackers know only their own rows, and SignGuard's authors'
    code takes in the attackers' honest gradients too. The z of eq. 2 is kept at or above 0.
    """
    n_attackers = len(view.own)
    if z_max and n_attackers:
        z = largest_z(view.n_total, n_attackers)
    rows = finite(view.honest)
    mu = mean(rows)
    return all_send(mu + DIRECTIONS[direction] * z * deviation(rows, mu), n_attackers)
