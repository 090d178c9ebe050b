"""The rule: what the server makes of the updates of a round. Write yours in its place."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from signfed import RobustStrategy, Updates
from torch import Tensor


def clipped_mean(rows: Tensor, radius: float) -> Tensor:
    """Average the rows, none longer than `radius` times their median length.

    (1/n) sum_m min(1, c / |u_m|) u_m,    c = radius * median_m |u_m|
    """
    lengths = rows.norm(dim=1, keepdim=True).clamp(min=1e-9)  # a row may be 0
    longest = radius * lengths.median()
    return (rows * (longest / lengths).clamp(max=1)).mean(dim=0)


class MyStrategy(RobustStrategy):
    """A rule of my own: the mean of clipped rows."""

    encoder = "float32"  # "sign": a worker sends one bit for each coordinate

    def __init__(
        self,
        radius: Annotated[float, Field(gt=0, description="longest row, in median lengths")] = 1.0,
    ) -> None:
        self.radius = radius

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the direction that is subtracted from the model, [N]."""
        return clipped_mean(updates.dense().to(torch.float32), self.radius)
