"""Reverse attack with scaling."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range


@attack(knowledge="own", stage="gradient", tensors=True)
def reverse_scaling(
    view: View,
    *,
    factor: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="r"), Range(0.1, 1e3, log=True)
    ] = 3.0,
) -> np.ndarray:
    """Send the gradient reversed and scaled: -r g.

    A sign channel loses the factor, and this is a sign flip.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N].
    factor : float, > 0
        r. 3 is the upper bound R of SignGuard's filter of norms, the most that passes it. Against
        rules without such a filter the paper takes 100.

    Returns
    -------
    ndarray, float32 [b, N]
        -r times `own`.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("reverse-scaling", [[1.0, -2.0]], n_total=3, seed=0)
    array([[-3.,  6.]], dtype=float32)

    References
    ----------
    Xu et al. 2022 (SignGuard), section VI-C, "Reverse Attack with Scaling".

    Notes
    -----
    Deviation from the paper: none.
    """
    return float(np.float32(-factor)) * view.own
