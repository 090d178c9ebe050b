"""Sign inversion (SIA)."""

import numpy as np

from signfed.attacks.core.view import View, attack


@attack(knowledge="own", stage="message")
def sign_inversion(view: View) -> np.ndarray:
    """Send the opposite of every honest value: -Y.

    Turns a worker's cross-over probability p into 1 - p. On the sign channel every bit is
    flipped, also where the gradient is exactly zero.

    Reference: Park & Lee 2024 (signSGD-FD), section 3, eq. 4 with r = 1.
    Deviation from the paper: none.
    """
    return -view.own
