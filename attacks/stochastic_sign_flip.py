"""Stochastic sign flip (SSFA)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.view import View, attack


@attack(knowledge="own", stage="message")
def stochastic_sign_flip(
    view: View,
    *,
    probability: Annotated[float, Field(ge=0, le=1, description="r, of each coordinate")] = 0.5,
) -> np.ndarray:
    """Flip each coordinate of each attacker independently with probability r.

    Turns a worker's cross-over probability p into p + r (1 - 2 p): r = 1 is sign inversion, the
    worst for majority vote; r = 1/2 leaves pure noise, the worst for weighted votes.

    probability: r in [0, 1].
    Reference: Park & Lee 2024 (signSGD-FD), eq. 4 and 11.
    Deviation from the paper: none.
    """
    n_coordinates = view.own.shape[1]
    crafted = view.own.copy()
    for row, generator in zip(crafted, view.generators, strict=True):
        # random() lies in [0, 1), so r = 0 never flips and r = 1 always does.
        row[generator.random(n_coordinates) < probability] *= -1.0
    return crafted
