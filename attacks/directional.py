"""Directional attack."""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice


def _sendable(value: float) -> float:
    with np.errstate(over="ignore"):
        sent = np.float32(value)
    if not sent or not np.isfinite(sent):
        raise ValueError(f"expected a finite float32 other than 0, got {value}")
    return value


@attack(knowledge="own", stage="message", tensors=True)
def directional(
    view: View,
    *,
    value: Annotated[
        float,
        AfterValidator(_sendable),
        Field(description="sent for every coordinate"),
        Choice((-100.0, -1.0, -0.01, 0.01, 1.0, 100.0)),
    ] = -1.0,
) -> np.ndarray:
    """Send the same value in every coordinate, whatever the gradient is.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N], of which only the shape counts.
    value : float
        Finite and not 0 as float32.

    Returns
    -------
    ndarray, float32 [b, N]
        `value` everywhere.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("directional", [[1.0, -2.0]], n_total=3, seed=0)
    array([[-1., -1.]], dtype=float32)

    References
    ----------
    Sohn et al. 2020 (Election Coding), appendix: "directional" attacks.

    Notes
    -----
    Deviation from the paper: none; the authors' code sends -1 in one script and +1 in another.
    """
    return namespace(view.own).full_like(view.own, float(np.float32(value)))
