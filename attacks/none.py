"""No attack: the control of every experiment."""

import numpy as np

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="gradient", tensors=True)
def none(view: View) -> np.ndarray:
    """Send the honest update: the control of every experiment.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N].

    Returns
    -------
    ndarray, float32 [b, N]
        A copy of `own`.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("none", [[1.0, -2.0]], n_total=3, seed=0)
    array([[ 1., -2.]], dtype=float32)

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    return namespace(view.own).copy(view.own)
