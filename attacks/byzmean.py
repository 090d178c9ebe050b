"""ByzMean."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, namespace, zeros
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import finite
from signfed.attacks.core.schedule import parts_of
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice


@attack(knowledge="omniscient", stage="gradient", parts=("inner",), tensors=True)
def byzmean(
    view: View,
    *,
    inner: Annotated[
        str,
        Field(description="attack that gives the target mean"),
        Choice(("lie", "min-max", "random", "sign-flip", "ipm")),
    ] = "lie",
) -> np.ndarray:
    """Make the mean of all n rows equal to the row g1 of another attack.

    Of m Byzantine workers, the first m1 = floor(m/2) send g1, and the other m2 = m - m1 send
    g2 = ((n - m1) g1 - sum of the honest rows) / m2. With m = 1, only g2 is sent.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]. Rows that are not finite do not count, in n either: the mean is
        that of the rows that a server can count.
    inner : str
        Name of the attack at stage "gradient" whose first row is g1; `build` and `craft` bind the
        attack itself.

    Returns
    -------
    ndarray, float32 [b, N]
        m1 rows g1 and m2 rows g2.

    Raises
    ------
    ValueError
        Unless `inner` is exactly one attack at stage "gradient".

    Examples
    --------
    >>> from signfed import craft
    >>> own, honest = [[9.0, 9.0]] * 3, [[1.0, 2.0], [3.0, 4.0]]
    >>> sent = craft("byzmean", own, honest, n_total=5, seed=0, inner="ipm", epsilon=1.0)
    >>> sent
    array([[-2., -3.],
           [-6., -9.],
           [-6., -9.]], dtype=float32)
    >>> np.concatenate([sent, honest]).mean(axis=0)
    array([-2., -3.])

    References
    ----------
    Xu et al. 2022 (SignGuard), eq. 8.

    Notes
    -----
    Deviation from the paper: none; the authors' code has n - m - m1 for n - m1, and misses g1.
    """
    parts = parts_of("byzmean", inner)
    if [part.stage for part in parts] != ["gradient"]:
        found = ", ".join(f"{part.name} at {part.stage!r}" for part in parts)
        raise ValueError(f"inner: expected one attack at stage 'gradient', got {found or 'none'}")
    g1 = parts[0](view)[0]
    honest = finite(view.honest)
    m = len(view.own)
    m1 = m // 2
    xp = namespace(honest)
    total = honest.sum(0, dtype=xp.float64)
    g2 = ((len(honest) + m - m1) * cast(g1, xp.float64) - total) / (m - m1)
    crafted = zeros(view.own.shape, view.own, xp.float32)
    crafted[:m1], crafted[m1:] = g1, g2
    return crafted
