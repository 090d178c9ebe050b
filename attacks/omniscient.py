"""The omniscient adversary of signSGD with majority vote."""

import numpy as np

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, finite, signs
from signfed.attacks.core.view import View


@attack(knowledge="omniscient", stage="message", truth=True, tensors=True)
def omniscient(view: View) -> np.ndarray:
    """Send the opposite of the true gradient's signs: -sign(g), with sign(0) = +1.

    The signs are scaled by the mean |entry| of the finite honest rows, so that on a float channel
    they are as large as honest rows. On a sign channel that is 1, as it is without honest rows.

    Parameters
    ----------
    view : View
        `truth`: float32 [N], g; `honest`: float32 [h, N].

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> honest = [[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]
    >>> craft("omniscient", [[1.0, 1.0, 1.0]], honest, n_total=3, seed=0, truth=[0.5, 0.0, -2.0])
    array([[-1., -1.,  1.]], dtype=float32)

    References
    ----------
    Mengoli et al. 2025 (BFT signSGD-MV), Theorem 3.5: the strongest attack on the vote.

    Notes
    -----
    Deviation from the paper: the scale, where messages are not signs.
    """
    rows = finite(view.honest)
    xp = namespace(rows)
    sizes = [xp.abs(row).mean(dtype=xp.float64) for row in rows]
    scale = xp.stack(sizes).mean() if sizes else 1.0
    return all_send(-scale * signs(view.truth), len(view.own))
