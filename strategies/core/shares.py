"""A share of a whole number."""

from __future__ import annotations

import math


def share_of(n: int, share: float) -> int:
    """Return ceil(share n), of the decimal number that was written: 0.07 of 100 is 7.

    >>> share_of(100, 0.07), 0.07 * 100 > 7
    (7, True)

    Parameters
    ----------
    n : int
        >= 0.
    share : float
        In [0, 1].
    """
    return math.ceil(round(share * n, 9))
