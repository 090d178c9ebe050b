"""Byzantine workers who know how the honest vote ends."""

import numpy as np

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import Share, all_send, finite, lowest, signs
from signfed.attacks.core.view import View


@attack(knowledge="omniscient", stage="message", tensors=True)
def vote_aware(view: View, *, share: Share = 1.0) -> np.ndarray:
    """Send -sign(V) where the honest margin |V| is smallest, and sign(V) elsewhere.

    V is the sum of the finite honest rows, and sign(0) = +1. With share = 1 this is the most that m
    signs can do to a majority vote: every coordinate that can turn, turns.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    share : float in [0, 1]
        floor(share N) coordinates are attacked, the smallest |V| first, among equal ones the first.
        Below 1 the Byzantine workers agree with the vote elsewhere and look reliable.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row of +1/-1 for all.

    Examples
    --------
    >>> from signfed import craft
    >>> honest = [[1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0]]
    >>> craft("vote-aware", [[1.0, 1.0, 1.0]], honest, n_total=4, seed=0, share=0.34)
    array([[ 1., -1., -1.]], dtype=float32)

    References
    ----------
    None; this is the bound by which Mengoli et al. 2025 prove Theorem 3.5.

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    rows = finite(view.honest)
    xp = namespace(rows)
    votes = rows.sum(axis=0, dtype=xp.float64)
    majority = signs(votes)
    attacked = lowest(xp.abs(votes), share)
    return all_send(xp.where(attacked, -majority, majority), len(view.own))
