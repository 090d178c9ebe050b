"""The optimizer step that turns a rule's direction into the next model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Step:
    """Hyper-parameters of torch.optim.SGD on the flat parameter vector x, direction v as gradient.

    buf <- momentum buf + (v + weight_decay x); x <- x - lr buf. Momentum 0: x <- x - lr (v + ...).

    lr > 0; momentum in [0, 1); weight_decay >= 0.
    """

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0

    def optimizer(self, parameters: Tensor) -> torch.optim.SGD:
        """An optimizer whose only parameter is a copy of `parameters`, float32 [N]."""
        flat = torch.nn.Parameter(parameters.clone())
        return torch.optim.SGD(
            [flat], lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay
        )


def take_step(optimizer: torch.optim.SGD, direction: Tensor) -> Tensor:
    """One step along `direction`, float32 [N]; returns the new parameters, float32 [N]."""
    (flat,) = optimizer.param_groups[0]["params"]
    flat.grad = direction.to(flat)
    optimizer.step()
    return flat.detach().clone()
