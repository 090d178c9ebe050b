"""Whether what a rule found out still fits what it assumes: at most f Byzantine, and a majority."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

WhenBroken = Literal["warn", "stop"]


def broken_assumption(accepted: Collection[int], received: int, assumed: int) -> str | None:
    """Say why the rejected workers cannot all be Byzantine as assumed; None when they can.

    Parameters
    ----------
    accepted : collection of int
        The workers whose update the rule accepted.
    received : int
        Workers with a valid update.
    assumed : int
        f, the most that are assumed to be Byzantine.

    Returns
    -------
    str or None

    Examples
    --------
    >>> broken_assumption([0, 1, 2], received=5, assumed=2)
    >>> broken_assumption([0, 1, 2], received=5, assumed=1)
    '2 of 5 workers rejected, at most 1 assumed to be Byzantine'
    >>> broken_assumption([0, 1], received=5, assumed=3)
    '2 of 5 workers accepted, no majority'
    """
    if 2 * len(accepted) <= received:
        return f"{len(accepted)} of {received} workers accepted, no majority"
    if (rejected := received - len(accepted)) > assumed:
        return (
            f"{rejected} of {received} workers rejected, at most {assumed} assumed to be Byzantine"
        )
    return None
