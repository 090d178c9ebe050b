"""The undefended mean: what every robust rule is compared with."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy


class Mean(RobustStrategy):
    """Average of the received rows: (1/n) sum_m g_m, float32 [N]. One liar moves it anywhere.

    Precondition: none. Robustness: none.
    Reference: distributed SGD; baseline of every paper.
    Deviation: none.
    """

    encoder = "float32"

    def aggregate(self, updates: Updates) -> Tensor:
        return updates.dense().mean(dim=0)
