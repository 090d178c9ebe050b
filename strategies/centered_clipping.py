"""Centered clipping: small steps from the last aggregate."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import combine, norms
from signfed.strategies.server.strategy import RobustStrategy

LARGEST = torch.finfo(torch.float32).max


def clipped_step(rows: Tensor, centre: Tensor, radius: float) -> Tensor:
    """v + (1/n) sum_m (g_m - v) min(1, tau / ||g_m - v||): float [n, N] and [N] -> [N].

    radius: tau > 0; infinity gives the mean.
    """
    offsets = (rows - centre).clamp_(-LARGEST, LARGEST)  # not infinite: 0 times it would be NaN
    factors = (radius / norms(offsets)).clamp(max=1.0).nan_to_num(nan=1.0)  # inf/inf: the mean
    return centre + combine(offsets, factors / len(rows))


class CenteredClipping(RobustStrategy):
    """Mean of the rows, each clipped to a ball around the last answer; a few times over.

    v_l+1 = v_l + (1/n) sum_m clip(g_m - v_l, tau), from the last round's v: float32 [N].
    radius: tau > 0; no row moves v by more than tau/n an iteration. iterations: L >= 1.
    State: v, 0 before round 1.
    Precondition: none; bounded for any number of liars, useful with a tau about as large as the
    honest rows differ.
    Reference: Karimireddy et al. 2021, Algorithm 2 (eq. CC).
    Deviation from the paper: none; it sets no tau, 10 and 3 iterations are the authors' code.
    """

    encoder = "float32"

    def __init__(
        self,
        radius: Annotated[
            float, Field(gt=0, description="tau, how far a row may pull; inf: the mean")
        ] = 10.0,
        iterations: Annotated[int, Field(ge=1, description="clipped steps a round")] = 3,
    ) -> None:
        self.radius = radius
        self.iterations = iterations
        self._centre: Tensor | None = None

    def aggregate(self, updates: Updates) -> Tensor:
        rows = updates.dense()
        centre = torch.zeros_like(rows[0]) if self._centre is None else self._centre.to(rows)
        for _ in range(self.iterations):
            centre = clipped_step(rows, centre, self.radius)
        self._centre = centre
        return centre

    def state_dict(self) -> dict[str, Tensor]:
        """center: v, float32 [N]; empty before round 1."""
        return {} if self._centre is None else {"center": self._centre.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._centre = state["center"].clone() if "center" in state else None
