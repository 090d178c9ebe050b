"""Coordinate-wise median."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import coordinate_median
from signfed.strategies.server.strategy import RobustStrategy


class CoordinateMedian(RobustStrategy):
    """Take the median of each coordinate, for even n the mean of the middle two values.

    med_m g_m[i] for each coordinate i

    While fewer workers are Byzantine than honest (f < n/2), every coordinate of the answer lies
    between honest values.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("median", [[1.0, 5.0], [2.0, 1.0], [3.0, 4.0], [900.0, 2.0]])
    array([2.5, 3. ], dtype=float32)

    Notes
    -----
    Precondition: none. Deviation: none; `torch.median` would take the lower of the middle two.

    References
    ----------
    Yin et al. 2018, Definition 1.
    """

    encoder = "float32"
    sorts = True

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the median of each coordinate, float32 [N]."""
        return coordinate_median(updates.dense())
