"""Colluders who know how a vote will end: among themselves, or of the honest."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import all_send, finite, lowest, signs
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range


@attack(knowledge="colluders", stage="message")
def colluding_majority(view: View) -> np.ndarray:
    """All send the opposite of the majority of the attackers' own signs, +1 for sign(0) and ties.

    The attackers' estimate of the true gradient's signs, from their own mini-batches.

    Reference: Mengoli et al. 2025 (BFT signSGD-MV), section 4, the experiments on MNIST.
    Deviation from the paper: none; it is silent on zeros and ties.
    """
    return all_send(-signs(signs(view.own).sum(axis=0)), len(view.own))


@attack(knowledge="omniscient", stage="message")
def vote_aware(
    view: View,
    *,
    share: Annotated[
        float,
        Field(ge=0, le=1, description="of the coordinates, those with the closest vote first"),
        Range(0.05, 1.0),
    ] = 1.0,
) -> np.ndarray:
    """All send -sign(V) where the honest margin |V| is smallest, and sign(V) elsewhere.

    V: sum of the honest rows, those with NaN or inf left out; sign(0) = +1. With share = 1 the
    most that m signs can do to a majority vote: what can turn, turns.

    share: of the coordinates, floor(share N) are attacked, the smallest |V| first, of equal ones
        the first. Below 1 the attackers agree with the vote elsewhere and look reliable.
    Raises ValueError when it lies outside [0, 1].
    Reference: none; the bound by which Mengoli et al. 2025 prove Theorem 3.5.
    Deviation from the paper: does not apply.
    """
    votes = finite(view.honest).sum(axis=0, dtype=np.float64)
    majority = signs(votes)
    crafted = np.where(lowest(np.abs(votes), share), -majority, majority)
    return all_send(crafted, len(view.own))
