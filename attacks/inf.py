"""Rows of infinities."""

import numpy as np

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="message", tensors=True)
def inf(view: View) -> np.ndarray:
    """Send +infinity for every coordinate.

    On a float channel no such row is valid: the server drops it, counts it as `non-finite`, and
    goes on with the other rows. What is left of the attack is that the rule has b rows fewer: where
    it may not answer with n - b rows, its fallback does. On a sign channel there is no infinity:
    every bit is +1, as valid as any other (`directional` with a value above 0).

    Parameters
    ----------
    view : View
        `own`: float32 [b, N]; only its shape counts.

    Returns
    -------
    ndarray, float32 [b, N]

    Examples
    --------
    >>> from signfed import craft
    >>> craft("inf", [[1.0, -1.0]], n_total=3, seed=0)
    array([[inf, inf]], dtype=float32)

    References
    ----------
    ByzFL 0.0.11, its attack Inf.

    Notes
    -----
    Deviation from the reference: none.
    """
    return namespace(view.own).full_like(view.own, np.inf)
