"""Directional attack."""

import numpy as np

from attacks.base import View, attack


@attack(knowledge="own", stage="message")
def directional(view: View, *, value: float = -1.0) -> np.ndarray:
    """Send the same value in every coordinate: all -1, whatever the gradient.

    value: finite and not 0, in float32.
    Raises ValueError when it is not.
    Reference: Sohn et al. 2020 (Election Coding), appendix: "directional" attacks.
    Deviation from the paper: none; the authors' code sends -1 in one script and +1 in another.
    """
    with np.errstate(over="ignore"):
        sent = np.float32(value)
    if not sent or not np.isfinite(sent):
        raise ValueError(f"value: expected a finite number other than 0, got {value}")
    return np.full(view.own.shape, sent)
