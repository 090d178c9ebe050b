"""Colluders who vote among themselves first."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, signs
from signfed.attacks.core.view import View


@attack(knowledge="colluders", stage="message", tensors=True)
def colluding_majority(view: View) -> np.ndarray:
    """Send the opposite of the majority of the Byzantine workers' own signs.

    That majority is their estimate of the true gradient's signs, from their own batches. The sign
    of 0 and of a tie is +1.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N].

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> own = [[1.0, -1.0], [1.0, -1.0], [-9.0, 1.0]]
    >>> craft("colluding-majority", own, n_total=7, seed=0)[0]
    array([-1.,  1.], dtype=float32)

    References
    ----------
    Mengoli et al. 2025 (BFT signSGD-MV), section 4, the experiments on MNIST.

    Notes
    -----
    Deviation from the paper: none; it says nothing of zeros and ties.
    """
    return all_send(-signs(signs(view.own).sum(axis=0)), len(view.own))
