"""Sleeper."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range


@attack(knowledge="own", stage="message")
def sleeper(
    view: View,
    *,
    rounds: Annotated[
        int, Field(ge=0, description="honest ones before it inverts"), Range(0, 300)
    ] = 100,
) -> np.ndarray:
    """Send honest values for the first `rounds` rounds, then the opposite of every one: -Y.

    Against rules with a memory: the weight that honesty earned is spent on lies.

    rounds: >= 0.
    Raises ValueError when it is below 0.
    Reference: none.
    Deviation from the paper: does not apply.
    """
    return view.own.copy() if view.server_round <= rounds else -view.own
