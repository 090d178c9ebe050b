"""signSGD with majority vote (signSGD-MV)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.vote import majority_vote, ties
from signfed.strategies.server.strategy import RobustStrategy

Tie = Literal["plus", "zero", "random", "prev"]


class SignMV(RobustStrategy):
    """Majority vote on the workers' gradient signs, one bit per coordinate each way.

    tie: what an even number of votes gives where it is split in halves: "plus" +1; "zero" 0, the
    coordinate stays (three symbols: no longer one bit down); "random" a fair coin of (seed, round,
    coordinate); "prev" what the last round gave there, +1 in the first.
    Precondition: none; it loses its meaning once half of the workers lie.
    Reference: Bernstein et al. 2018/2019; Mengoli et al. 2025, Algorithm 1, server lines.
    Deviation from the paper: the papers leave ties open; "plus" is the reference packer's choice.
    """

    encoder = "sign"

    def __init__(
        self,
        seed: int = 0,
        tie: Annotated[
            Tie, Field(description="what a vote split in halves gives: +1, 0, a coin, the last one")
        ] = "plus",
    ) -> None:
        self.seed = seed
        self.tie = tie
        self._last: Tensor | None = None

    def aggregate(self, updates: Updates) -> Tensor:
        vote = majority_vote(updates)
        if self.tie != "plus" and updates.n % 2 == 0:
            vote = torch.where(ties(updates), self._tied(updates).to(vote), vote)
        if self.tie == "prev":
            self._last = vote
        return vote

    def state_dict(self) -> dict[str, Tensor]:
        """last: the last direction, float32 [N]; only for tie="prev"."""
        return {} if self._last is None else {"last": self._last.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._last = state["last"].clone() if "last" in state else None

    def _tied(self, updates: Updates) -> Tensor:
        """The answer to a tie, for all coordinates: float32 [N] or a scalar."""
        if self.tie == "random":
            coins = generator(self.seed, "tie", updates.server_round).integers(
                2, size=updates.n_coordinates
            )
            return torch.from_numpy(coins).to(torch.float32) * 2.0 - 1.0
        if self.tie == "zero":
            return torch.tensor(0.0)
        return torch.tensor(1.0) if self._last is None else self._last
