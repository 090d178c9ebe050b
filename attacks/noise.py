"""SignGuard's noise attack."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.noise import Std, normal_rows
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="gradient", tensors=True)
def noise(view: View, *, std: Std = 0.5) -> np.ndarray:
    """Add noise to the gradient: g + N(0, std^2 I), independent for each Byzantine worker.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N].
    std : float, > 0
        Standard deviation.

    Returns
    -------
    ndarray, float32 [b, N]
        `own` plus the noise.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("noise", [[1.0, -2.0]], n_total=3, seed=0).round(2)
    array([[ 1.56, -2.69]], dtype=float32)

    References
    ----------
    Xu et al. 2022 (SignGuard), section V, "Noise Attack".

    Notes
    -----
    Deviation from the paper: none.
    """
    return view.own + normal_rows(view, std)
