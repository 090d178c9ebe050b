"""Inner product manipulation (IPM)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range


@attack(knowledge="omniscient", stage="gradient", tensors=True)
def ipm(
    view: View,
    *,
    epsilon: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="length of the reversed mean"),
        Range(0.01, 100.0, log=True),
    ] = 0.1,
) -> np.ndarray:
    """Send -epsilon mu, mu the mean of the finite honest rows.

    The mean of all n rows is ((n - m) - m epsilon) / n * mu: it turns above epsilon = (n - m) / m.
    On a sign channel any epsilon is the flip of the mean's signs. Without honest rows it sends 0.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    epsilon : float, > 0
        A small one hides among the honest rows, one above (n - m) / m turns a mean.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("ipm", [[9.0, 9.0]], [[1.0, 2.0], [3.0, 4.0]], n_total=3, seed=0, epsilon=2.0)
    array([[-4., -6.]], dtype=float32)

    References
    ----------
    Xie et al. 2020 (Fall of Empires), section 4; epsilon as in Karimireddy et al. 2022.

    Notes
    -----
    Deviation from the paper: none.
    """
    return all_send(-epsilon * mean(finite(view.honest)), len(view.own))
