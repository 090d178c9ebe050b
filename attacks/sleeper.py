"""Sleeper."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range


@attack(knowledge="own", stage="message", tensors=True)
def sleeper(
    view: View,
    *,
    rounds: Annotated[
        int, Field(ge=0, description="honest ones before it inverts"), Range(0, 300)
    ] = 100,
) -> np.ndarray:
    """Send honest values for the first rounds, then the opposite of every one: -Y.

    It aims at rules with a memory: the weight that honest rounds earned is spent on the attack.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N]; `server_round`.
    rounds : int, >= 0
        Number of honest rounds.

    Returns
    -------
    ndarray, float32 [b, N]
        `own`, or -`own`.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("sleeper", [[1.0, -1.0]], n_total=3, seed=0, server_round=101)
    array([[-1.,  1.]], dtype=float32)

    References
    ----------
    None.

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    return namespace(view.own).copy(view.own) if view.server_round <= rounds else -view.own
