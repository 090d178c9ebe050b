"""Gaussian Byzantine."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.noise import Std, normal_rows
from signfed.attacks.core.view import View


@attack(knowledge="own", stage="gradient", tensors=True)
def gaussian(view: View, *, std: Std = 1.0) -> np.ndarray:
    """Replace the gradient by noise: N(0, std^2 I), independent for each Byzantine worker.

    On a sign channel this is a fair coin for each coordinate. On a float channel the length of the
    noise, std * sqrt(N), drowns a mean.

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
    >>> craft("gaussian", [[1.0, -2.0]], n_total=3, seed=0).round(2)
    array([[ 1.12, -1.39]], dtype=float32)

    References
    ----------
    Park & Lee 2024 (signSGD-FD), section 5, with std = 1 as in the authors' code;
    Blanchard et al. 2017.

    Notes
    -----
    Deviation from the paper: none.
    """
    return normal_rows(view, std)
