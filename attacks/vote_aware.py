"""Byzantine workers who know how the honest vote ends."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import like, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import Share, all_send, finite, lowest, signs
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice

Below = Annotated[
    int,
    Field(ge=0, description="leave votes won by less than that; 0: turn them"),
    Choice((0, 4)),
]


@attack(knowledge="omniscient", stage="message", tensors=True)
def vote_aware(view: View, *, share: Share = 1.0, below: Below = 0) -> np.ndarray:
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
    below : int
        theta, for a rule that goes backwards where the majority wins by fewer than theta votes
        (`robust-lr`, by default f + 1). Just so many workers oppose a coordinate that its margin
        falls below theta: the majority wins it, and the rule goes backwards there. That works on
        all coordinates with |V| < m + theta, V a sum of signs; a plain vote loses those with
        |V| < m. 0 turns votes.

    Returns
    -------
    ndarray, float32 [b, N]
        Rows of +1/-1, the same for all unless `below` is given.

    Examples
    --------
    >>> from signfed import craft
    >>> honest = [[1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0]]
    >>> craft("vote-aware", [[1.0, 1.0, 1.0]], honest, n_total=4, seed=0, share=0.34)
    array([[ 1., -1., -1.]], dtype=float32)

    Margins 3, 1, -3, of which one voter takes each below 3, and turns one:

    >>> craft("vote-aware", [[1.0, 1.0, 1.0]], honest, n_total=4, seed=0, below=3)
    array([[-1.,  1.,  1.]], dtype=float32)

    References
    ----------
    None; this is the bound by which Mengoli et al. 2025 prove Theorem 3.5. `below` is ours.

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    rows = finite(view.honest)
    xp = namespace(rows)
    votes = (signs(rows) if below else rows).sum(axis=0, dtype=xp.float64)
    majority = signs(votes)
    margin, m = xp.abs(votes), len(view.own)
    attacked = lowest(margin, share)
    if not below:
        return all_send(xp.where(attacked, -majority, majority), m)
    # With k opponents a margin becomes |V| + m - 2k: the least k that takes it below theta.
    opponents = xp.floor((margin + m - below) / 2) + 1
    attacked = attacked & (opponents <= m)
    numbers = like(np.arange(m), votes)[:, None]
    return xp.where(attacked & (numbers < opponents), -majority, majority)
