"""Reversed gradients: sign flip, and reverse scaling."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range


@attack(knowledge="own", stage="gradient")
def reverse_scaling(
    view: View,
    *,
    factor: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="r"), Range(0.1, 1e3, log=True)
    ] = 3.0,
) -> np.ndarray:
    """Send the gradient reversed and scaled: -factor g.

    A sign channel loses the factor, and this is a sign flip.

    factor: r, > 0 and finite. 3 is the upper bound R of SignGuard's filter of norms, the most that
        passes it; against rules without such a filter the paper takes 100.
    Raises ValueError when it is out of its range.
    Reference: Xu et al. 2022 (SignGuard), section VI-C, "Reverse Attack with Scaling".
    Deviation from the paper: none.
    """
    return np.float32(-factor) * view.own


@attack(knowledge="own", stage="gradient")
def sign_flip(view: View) -> np.ndarray:
    """Send the reversed gradient: -g.

    Sign inversion before compression: where a gradient is exactly 0, a sign channel sends what it
    would have sent anyway.

    Reference: Xu et al. 2022 (SignGuard), section V, "Sign-Flipping".
    Deviation from the paper: none.
    """
    return reverse_scaling(view, factor=1.0)
