"""Sign flip: the reversed gradient."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="gradient", tensors=True)
def sign_flip(view: View) -> np.ndarray:
    """Send the reversed gradient: -g.

    This is sign inversion before compression. Where a gradient is exactly 0, a sign channel sends
    what it would have sent anyway.

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
    >>> craft("sign-flip", [[1.0, -2.0]], n_total=3, seed=0)
    array([[-1.,  2.]], dtype=float32)

    References
    ----------
    Xu et al. 2022 (SignGuard), section V, "Sign-Flipping".

    Notes
    -----
    Deviation from the paper: none.
    """
    return -view.own
