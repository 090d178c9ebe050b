"""Label flip."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="data")
def label_flip(view: View) -> np.ndarray:
    """Train on flipped labels: y becomes C - 1 - y, for C classes.

    Parameters
    ----------
    view : View
        `own`: int64 [b, n], labels 0..C-1; `n_classes`: C.

    Returns
    -------
    ndarray, int64 [b, n]
        The flipped labels.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("label-flip", [[0, 3, 9]], n_total=3, seed=0, n_classes=10)
    array([[9, 6, 0]])

    References
    ----------
    Xu et al. 2022 (SignGuard), section V, "Label-Flipping".

    Notes
    -----
    Deviation from the paper: none.
    """
    return view.n_classes - 1 - view.own
