"""Directional attack."""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Choice


def _sendable(value: float) -> float:
    with np.errstate(over="ignore"):
        sent = np.float32(value)
    if not sent or not np.isfinite(sent):
        raise ValueError(f"expected a finite number other than 0, got {value}")
    return value


@attack(knowledge="own", stage="message")
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
    """Send the same value in every coordinate: all -1, whatever the gradient.

    value: finite and not 0, in float32.
    Raises ValueError when it is not.
    Reference: Sohn et al. 2020 (Election Coding), appendix: "directional" attacks.
    Deviation from the paper: none; the authors' code sends -1 in one script and +1 in another.
    """
    return np.full(view.own.shape, np.float32(value))
