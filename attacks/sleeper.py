"""Sleeper."""

import numpy as np

from attacks.base import View, attack


@attack(knowledge="own", stage="message")
def sleeper(view: View, *, rounds: int = 100) -> np.ndarray:
    """Send honest values for the first `rounds` rounds, then the opposite of every one: -Y.

    Against rules with a memory: the weight that honesty earned is spent on lies.

    rounds: >= 0.
    Raises ValueError when it is below 0.
    Reference: none.
    Deviation from the paper: does not apply.
    """
    if rounds < 0:
        raise ValueError(f"rounds: expected a whole number of at least 0, got {rounds}")
    return view.own.copy() if view.round <= rounds else -view.own
