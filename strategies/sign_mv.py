"""signSGD with majority vote (signSGD-MV)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.upload import uploaded
from signfed.strategies.server.strategy import RobustStrategy

Tie = Literal["plus", "zero", "random", "prev"]


def majority_vote(signs: PackedSigns, on_tie: Tensor | float | None = None) -> Tensor:
    """Take the sign of the sum of all workers' signs.

    v_n = sign(sum_m Y_mn), and on_tie_n where the sum is 0.

    Parameters
    ----------
    signs : PackedSigns, n rows
        Y.
    on_tie : float, or Tensor of float32, shape [N], optional
        +1 by default.

    Returns
    -------
    Tensor of float32, shape [N]

    Examples
    --------
    >>> signs = PackedSigns.pack(torch.tensor([[1.0, -2.0, 5.0], [1.0, -1.0, -5.0]]))
    >>> majority_vote(signs), majority_vote(signs, on_tie=0.0)
    (tensor([ 1., -1.,  1.]), tensor([ 1., -1.,  0.]))
    """
    n = len(signs.bits)
    # Where k of n rows say +1 the sum is k - (n - k) = 2 k - n: >= 0 where k >= n/2.
    if on_tie is None or n % 2:
        return signs.vote().dense()
    half, more = signs.at_least_each(n // 2, n // 2 + 1)
    vote, ties = half.dense(), half.but(more).dense() > 0
    if not isinstance(on_tie, Tensor):
        return vote.masked_fill(ties, on_tie)
    return torch.where(ties, uploaded(on_tie.to(vote.dtype), vote.device), vote)


def coins(updates: Updates, seed: int) -> Tensor:
    """Draw +1 or -1, a fair coin of (seed, server_round, coordinate).

    Parameters
    ----------
    updates : Updates
        Its round and its coordinates count.
    seed : int
        Of the run.

    Returns
    -------
    Tensor, float32 [N]
    """
    draws = generator(seed, "tie", updates.server_round)
    return torch.from_numpy(draws.integers(2, size=updates.n_coordinates)) * 2.0 - 1.0


# The answer to a tie, of (updates, seed, the last direction); None is +1.
ON_TIE: dict[Tie, Callable[[Updates, int, Tensor | None], Tensor | float | None]] = {
    "plus": lambda updates, seed, last: None,
    "zero": lambda updates, seed, last: 0.0,
    "random": lambda updates, seed, last: coins(updates, seed),
    "prev": lambda updates, seed, last: last,
}


class SignMV(RobustStrategy):
    """Majority vote on the workers' gradient signs, one bit per coordinate each way.

    v = sign(sum_m Y_m)

    Precondition: none. The vote is right where most workers are honest and right.

    Parameters
    ----------
    seed : int
        Of the coins of tie="random".
    tie : {"plus", "zero", "random", "prev"}
        The answer where an even number of votes is split in halves. "plus": +1. "zero": 0, so the
        coordinate keeps its value; three symbols no longer fit one bit on the downlink. "random": a
        fair coin of (seed, server_round, coordinate). "prev": the answer of the last round, +1 in
        the first.

    Notes
    -----
    State: for tie="prev" the last direction, float32 [N].

    Deviation: none. The papers leave ties open; "plus" is the choice of the reference packer.

    References
    ----------
    Bernstein et al. 2018, "signSGD", and 2019, "signSGD with Majority Vote"; Mengoli et al. 2025,
    Algorithm 1, server lines.

    Examples
    --------
    >>> rule = SignMV(tie="zero")
    >>> rule.aggregate(Updates.from_matrix(torch.tensor([[1.0, -2.0], [3.0, 4.0]]), signs=True))
    tensor([1., 0.])
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
        # An odd number of votes has no ties.
        on_tie = None if updates.n % 2 else ON_TIE[self.tie](updates, self.seed, self._last)
        vote = majority_vote(updates.signs(), on_tie)
        if self.tie == "prev":
            self._last = vote
        return vote

    def state_dict(self) -> dict[str, Tensor]:
        """Return `last`: the last direction, float32 [N]; only for tie="prev"."""
        return {} if self._last is None else {"last": self._last.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self._last = state["last"].clone() if "last" in state else None
