"""What the pre-aggregations share: they mix the rows, and hand them to any rule."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy


class PreAggregation(RobustStrategy):
    """A rule behind a mixing of its rows; all but `mix` is handed on to the inner rule.

    On the sign channel the mixed rows are means of +1 and -1, of which a vote takes the signs.

    Parameters
    ----------
    inner : RobustStrategy
        The rule that gets the mixed rows.
    """

    def __init__(self, inner: RobustStrategy) -> None:
        self.inner = inner
        self.encoder = inner.encoder
        self.remembers_workers = inner.remembers_workers

    @abstractmethod
    def mix(self, updates: Updates) -> Updates:
        """Return the rows that the inner rule gets."""

    def n_mixed(self, n: int) -> int:
        """Return how many rows n updates become."""
        return n

    def check(self, num_workers: int, num_rounds: int) -> None:
        """Raise ValueError when this or the inner rule cannot serve such a run."""
        super().check(num_workers, num_rounds)
        self.inner.check(self.n_mixed(num_workers), num_rounds)

    def admissible(self, n: int) -> str | None:
        """Say why the inner rule cannot serve the mixed rows of n updates; None when it can."""
        return self.inner.admissible(self.n_mixed(n))

    def aggregate(self, updates: Updates) -> Tensor:
        """Return what the inner rule makes of the mixed rows, float32 [N]."""
        return self.inner.aggregate(self.mix(updates))

    def instructions(self, num_workers: int) -> dict[str, Any]:
        """Return what the inner rule has to tell its clients."""
        return self.inner.instructions(num_workers)

    def diagnostics(self) -> dict[str, Any]:
        """Return what the inner rule found out."""
        return self.inner.diagnostics()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of the inner rule."""
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self.inner.load_state_dict(state)
