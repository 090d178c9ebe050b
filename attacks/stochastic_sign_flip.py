"""Stochastic sign flip (SSFA)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import like, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="message", tensors=True)
def stochastic_sign_flip(
    view: View,
    *,
    probability: Annotated[float, Field(ge=0, le=1, description="r, of each coordinate")] = 0.5,
) -> np.ndarray:
    """Flip each coordinate of each Byzantine worker independently with probability r.

    A worker's cross-over probability p becomes p + r (1 - 2 p). r = 1 is sign inversion, the worst
    for a majority vote; r = 1/2 leaves pure noise, the worst for a weighted vote.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N].
    probability : float in [0, 1]
        r.

    Returns
    -------
    ndarray, float32 [b, N]
        `own` with some signs flipped.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("stochastic-sign-flip", [[1.0, -1.0, 1.0]], n_total=3, seed=0, probability=0.5)
    array([[ 1.,  1., -1.]], dtype=float32)

    References
    ----------
    Park & Lee 2024 (signSGD-FD), eq. 4 and 11.

    Notes
    -----
    Deviation from the paper: none.
    """
    n = view.own.shape[1]
    # random() lies in [0, 1), so r = 0 never flips and r = 1 always does.
    flipped = np.stack([generator.random(n) < probability for generator in view.generators])
    return namespace(view.own).where(like(flipped, view.own), -view.own, view.own)
