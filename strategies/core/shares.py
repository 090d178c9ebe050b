"""A share of a whole number."""

from __future__ import annotations

import math


def share_of(n: int, share: float) -> int:
    """Return ceil(share n), where rounding makes no one more of it.

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
