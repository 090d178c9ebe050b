"""ByzMean."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import finite
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Choice


@attack(knowledge="omniscient", stage="gradient", parts=("inner",))
def byzmean(
    view: View,
    *,
    inner: Annotated[
        str,
        Field(description="attack that gives the target mean"),
        Choice(("lie", "min-max", "random", "sign-flip", "ipm")),
    ] = "lie",
) -> np.ndarray:
    """Make the mean of all n rows the row g1 of another attack.

    The first m1 = floor(m/2) of the m attackers send g1, the other m2 = m - m1 send
    g2 = ((n - m1) g1 - sum of the honest rows) / m2. With m = 1, g2 alone.

    inner: the attack whose first row is g1, at stage "gradient". Honest rows with NaN or inf are
        left out, of n too: the mean is that of the rows that a server can count.
    Raises ValueError unless there is exactly one.
    Reference: Xu et al. 2022 (SignGuard), eq. 8.
    Deviation from the paper: none; the authors' code has n - m - m1 for n - m1, and misses g1.
    """
    if not isinstance(inner, tuple) or len(inner) != 1 or inner[0].stage != "gradient":
        found = [part.stage for part in inner] if isinstance(inner, tuple) else inner
        raise ValueError(
            "inner: expected one attack at stage 'gradient', made by build('byzmean', inner=name), "
            f"got {found!r}"
        )
    m = len(view.own)
    m1 = m // 2
    crafted = np.empty(view.own.shape, dtype=np.float32)
    if m:
        rows, first = finite(view.honest), inner[0](view)[0]
        n = len(rows) + m
        crafted[:m1] = first
        total = rows.sum(axis=0, dtype=np.float64)
        crafted[m1:] = ((n - m1) * first.astype(np.float64) - total) / (m - m1)
    return crafted
