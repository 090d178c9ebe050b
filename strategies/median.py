"""Coordinate-wise median."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import coordinate_median, ordered
from signfed.strategies.server.strategy import RobustStrategy

Even = Annotated[
    Literal["mean", "lower"],
    Field(description="of the middle two values of an even number; lower as in SignGuard's code"),
]


class CoordinateMedian(RobustStrategy):
    """Take the median of each coordinate.

    med_m g_m[i] for each coordinate i

    While fewer workers are Byzantine than honest (f < n/2), every coordinate of the answer lies
    between honest values.

    Parameters
    ----------
    even : {"mean", "lower"}
        What is taken of the middle two values where n is even. The lower one is `torch.median`'s;
        it is biased, as if all workers sent a little less.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("median", [[1.0, 5.0], [2.0, 1.0], [3.0, 4.0], [900.0, 2.0]])
    array([2.5, 3. ], dtype=float32)

    Notes
    -----
    Precondition: none. Deviation: none.

    References
    ----------
    Yin et al. 2018, Definition 1.
    """

    encoder = "float32"
    sorts = True

    def __init__(self, even: Even = "mean") -> None:
        self.even = even

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the median of each coordinate, float32 [N]."""
        rows = updates.dense()
        if self.even == "mean":
            return coordinate_median(rows)
        return ordered(rows, ((len(rows) - 1) // 2,))[0]
