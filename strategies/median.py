"""Coordinate-wise median."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import coordinate_median
from signfed.strategies.server.strategy import RobustStrategy


class CoordinateMedian(RobustStrategy):
    """Median of each coordinate; the mean of the middle two values for even n: float32 [N].

    Precondition: none; with fewer liars than honest rows (f < n/2) every coordinate lies between
    honest values.
    Reference: Yin et al. 2018, Definition 1.
    Deviation from the paper: none (torch.median would take the lower of the middle two).
    """

    encoder = "float32"

    def aggregate(self, updates: Updates) -> Tensor:
        return coordinate_median(updates.dense())
