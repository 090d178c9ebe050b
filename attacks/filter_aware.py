"""Attackers who know SignGuard's filters."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import all_send, finite, lowest, mean
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range


@attack(knowledge="omniscient", stage="gradient")
def filter_aware(
    view: View,
    *,
    share: Annotated[
        float,
        Field(ge=0, le=1, description="of the coordinates, the largest first"),
        Range(0.05, 1.0),
    ] = 1.0,
) -> np.ndarray:
    """All send an honest row with its entries rearranged against the honest mean.

    The row is the one with the median norm (of an even number, the lower middle). Its smallest
    entry goes where the mean mu is largest, the second smallest where mu is second largest, and so
    on: of all permutations the one with the smallest inner product with mu (rearrangement
    inequality). Norm and shares of positive, zero and negative entries are an honest row's, so
    neither a band of norms nor statistics of signs over all coordinates see a difference.

    share: only the floor(share N) coordinates with the largest |mu| are rearranged, among
        themselves. Honest rows with NaN or inf are left out; without any, each sends its own.
    Raises ValueError when it lies outside [0, 1].
    Reference: none; aims at Xu et al. 2022 (SignGuard), Algorithm 2.
    Deviation from the paper: does not apply.
    """
    rows = finite(view.honest)
    mu = mean(rows)
    moved = np.flatnonzero(lowest(-np.abs(mu), share))
    if not len(rows):
        return view.own.copy()
    norms = [np.square(row, dtype=np.float64).sum() for row in rows]
    crafted = rows[np.argsort(norms, kind="stable")[(len(rows) - 1) // 2]].copy()
    crafted[moved[np.argsort(-mu[moved], kind="stable")]] = np.sort(crafted[moved])
    return all_send(crafted, len(view.own))
