"""SignGuard's random attack."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.noise import Std, normal_rows
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="gradient", tensors=True)
def random(view: View, *, std: Std = 0.5) -> np.ndarray:
    """Replace the gradient by noise: N(0, std^2 I), as `gaussian`, with the std of SignGuard.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N], of which only the shape counts.
    std : float, > 0
        Standard deviation.

    Returns
    -------
    ndarray, float32 [b, N]
        The noise.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("random", [[1.0, -2.0]], n_total=3, seed=0).round(2)
    array([[ 0.56, -0.69]], dtype=float32)

    References
    ----------
    Xu et al. 2022 (SignGuard), section V, "Random Attack".

    Notes
    -----
    Deviation from the paper: none.
    """
    return normal_rows(view, std)
