"""The undefended mean, with which every robust rule is compared."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy


class Mean(RobustStrategy):
    """Average the received rows.

    (1/n) sum_m g_m

    One Byzantine worker can move the answer to any point. In a Flower app it is FedAvg with equal
    weights.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("mean", [[1.0, 2.0], [3.0, 6.0]])
    array([2., 4.], dtype=float32)

    Notes
    -----
    Precondition: none. Deviation: none.

    References
    ----------
    Distributed SGD; the baseline of every paper.
    """

    encoder = "float32"

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the rows, float32 [N]."""
        return updates.dense().mean(dim=0)
