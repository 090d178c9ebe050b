"""The attack: what Byzantine workers send. Write yours in its place."""

from __future__ import annotations

import numpy as np
import signfed


@signfed.attack(knowledge="colluders", stage="gradient")
def opposite(view: signfed.View, *, scale: float = 10.0) -> np.ndarray:
    """Send the opposite of what the Byzantine workers would have sent on average, but longer.

    view.own: their honest rows, [b, N]. An attack of knowledge "omniscient" has view.honest, too.
    """
    false = -scale * view.own.mean(axis=0)
    return np.tile(false, (len(view.own), 1))
