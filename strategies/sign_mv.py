"""signSGD with majority vote (signSGD-MV)."""

from __future__ import annotations

import torch
from torch import Tensor

from strategies.base import RobustStrategy
from strategies.updates import Updates


def majority_vote(updates: Updates) -> Tensor:
    """v = sign(sum_m Y_m) with sign(0) = +1: float32 +1/-1 [N].

    >>> majority_vote(Updates.from_matrix(torch.tensor([[1.0, -2], [1, -1], [-9, 3]])))
    tensor([ 1., -1.])
    """
    positive = torch.zeros(updates.n_coordinates, dtype=torch.int32, device=updates.rows.device)
    for row in range(updates.n):  # row by row: never an unpacked [n, N] matrix
        positive += updates.bits(row)
    return torch.where(2 * positive >= updates.n, 1.0, -1.0)


class SignMV(RobustStrategy):
    """Majority vote on the workers' gradient signs, one bit per coordinate each way.

    Precondition: none; it loses its meaning once half of the workers lie.
    Reference: Bernstein et al. 2018/2019; Mengoli et al. 2025, Algorithm 1, server lines.
    Deviation from the paper: a tie (even n) is +1, as in the reference implementation's packer.
    """

    encoder = "sign"

    def aggregate(self, updates: Updates) -> Tensor:
        return majority_vote(updates)
