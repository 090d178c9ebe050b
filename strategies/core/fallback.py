"""What answers a round in place of a rule that does not admit so few updates."""

from __future__ import annotations

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import coordinate_median


def fallback(updates: Updates) -> Tensor:
    """Answer a round that has fewer valid updates than the rule admits.

    Parameters
    ----------
    updates : Updates
        At least one row.

    Returns
    -------
    Tensor
        float32 [N]: the coordinate-wise median; on the sign channel, the majority vote with
        sign(0) = +1, in the magnitude of the rows.
    """
    median, size = coordinate_median(updates.dense()), updates.magnitude
    return torch.where(median >= 0, size, -size) if updates.on_sign_channel else median
