"""Sign inversion (SIA)."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="message", tensors=True)
def sign_inversion(view: View) -> np.ndarray:
    """Send the opposite of every honest value: -Y.

    A worker's cross-over probability p becomes 1 - p. On the sign channel every bit is flipped,
    also where the gradient is exactly zero.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N].

    Returns
    -------
    ndarray, float32 [b, N]
        -`own`.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("sign-inversion", [[1.0, -1.0, 1.0]], n_total=3, seed=0)
    array([[-1.,  1., -1.]], dtype=float32)

    References
    ----------
    Park & Lee 2024 (signSGD-FD), section 3, eq. 4 with r = 1.

    Notes
    -----
    Deviation from the paper: none.
    """
    return -view.own
