"""Votes on signs, row by row: an unpacked [n, N] matrix never exists."""

from __future__ import annotations

import torch
from torch import Tensor

from strategies.updates import Updates


def positive_votes(updates: Updates) -> Tensor:
    """How many rows say +1 in each coordinate: int32 [N]."""
    positive = torch.zeros(updates.n_coordinates, dtype=torch.int32, device=updates.rows.device)
    for row in range(updates.n):
        positive += updates.bits(row)
    return positive


def majority_vote(updates: Updates) -> Tensor:
    """v = sign(sum_m Y_m) with sign(0) = +1: float32 +1/-1 [N].

    >>> majority_vote(Updates.from_matrix(torch.tensor([[1.0, -2], [1, -1], [-9, 3]])))
    tensor([ 1., -1.])
    """
    return torch.where(2 * positive_votes(updates) >= updates.n, 1.0, -1.0)


def weighted_vote(updates: Updates, weights: list[Tensor]) -> Tensor:
    """U = sign(sum_m w_m Y_m) with sign(0) = +1: float32 +1/-1 [N].

    weights: one float32 tensor per row, a scalar or [N].
    """
    score = torch.zeros(updates.n_coordinates, device=updates.rows.device)
    for row, one in enumerate(weights):
        weight = one.to(score.device)
        score += torch.where(updates.bits(row).bool(), weight, -weight)
    return torch.where(score >= 0, 1.0, -1.0)
