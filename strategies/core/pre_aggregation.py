"""What the pre-aggregations share: they mix the rows, and hand them to any rule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from torch import Tensor

from signfed.strategies.core.rule import Rule, State
from signfed.strategies.core.updates import Updates


class PreAggregation(Rule):
    """Mix the rows, and hand them to a rule; all but `mix` is handed on to the inner rule.

    On the sign channel the mixed rows are means of +1 and -1, of which a vote takes the signs.

    Parameters
    ----------
    inner : Rule
        The rule that gets the mixed rows.
    """

    def __init__(self, inner: Rule, /) -> None:
        self.inner = inner
        self.encoder = inner.encoder
        self.judges = inner.judges
        self.remembers_workers = inner.remembers_workers
        self.needs_reference = inner.needs_reference

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
        mixed = replace(self.mix(updates), reference=updates.reference, edges=updates.edges)
        return self.inner.aggregate(mixed)

    def instructions(self, num_workers: int) -> dict[str, Any]:
        """Return what the inner rule has to tell its clients."""
        return self.inner.instructions(num_workers)

    def diagnostics(self) -> dict[str, Any]:
        """Return what the inner rule found out."""
        return self.inner.diagnostics()

    def state_dict(self) -> State:
        """Return the state of the inner rule."""
        return self.inner.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Go on from what `state_dict` returned."""
        self.inner.load_state_dict(state)

    def forget_workers(self, workers: Collection[int]) -> None:
        """Have the inner rule drop what it keeps of these workers."""
        self.inner.forget_workers(workers)
