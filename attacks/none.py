"""No attack: the control."""

import numpy as np

from signfed.attacks.core.view import View, attack


@attack(knowledge="own", stage="gradient")
def none(view: View) -> np.ndarray:
    """Send the honest update: the control of every experiment."""
    return view.own.copy()
