"""The optimizer step that turns a rule's direction into the next model."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.optim.sgd import sgd

Schedule = Literal["constant", "inverse-sqrt", "steps"]


@dataclass(frozen=True)
class Step:
    """Hyper-parameters of torch.optim.SGD on the flat parameter vector x, direction v as gradient.

    buf <- momentum buf + (v + weight_decay x); x <- x - lr_t buf. Momentum 0: x <- x - lr_t (...).

    lr > 0; momentum in [0, 1); weight_decay >= 0.
    schedule: "constant" lr_t = lr; "inverse-sqrt" lr_t = lr / sqrt(t); "steps" lr_t = lr gamma^k
    with k the number of milestones below t. t counts the steps taken, from 1.
    """

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def lr_at(self, t: int) -> float:
        """lr_t of step t = 1, 2, ..."""
        if self.schedule == "inverse-sqrt":
            return self.lr / math.sqrt(t)
        if self.schedule == "steps":
            return self.lr * self.gamma ** bisect_right(self.milestones, t - 1)
        return self.lr


class Descent:
    """The model under way: parameters float32 [N], optimizer state, number of steps taken."""

    def __init__(
        self, step: Step, parameters: Tensor, momentum: Tensor | None = None, taken: int = 0
    ) -> None:
        """Where to start or to go on; tensors are copied.

        parameters, momentum: float32 [N]; the latter is SGD's buffer, None before the first step
        and without momentum. taken: steps taken so far.
        """
        self._step = step
        self.taken = taken
        self._flat = parameters.clone()
        self._buffers = [None if momentum is None else momentum.to(parameters, copy=True)]

    @property
    def parameters(self) -> Tensor:
        """float32 [N], a copy."""
        return self._flat.clone()

    @property
    def momentum(self) -> Tensor | None:
        """SGD's buffer, float32 [N], not a copy; None where there is none."""
        return self._buffers[0]

    def take(self, direction: Tensor) -> Tensor:
        """One step along `direction`, [N]; returns the new parameters, float32 [N], a copy."""
        self.taken += 1
        # The function under torch.optim.SGD: to make one of that class imports torch's compiler,
        # time and memory that a device may not have.
        sgd(
            [self._flat], [direction.to(self._flat)], self._buffers,
            weight_decay=self._step.weight_decay, momentum=self._step.momentum,
            lr=self._step.lr_at(self.taken), dampening=0.0, nesterov=False, maximize=False,
            foreach=False,
        )  # fmt: skip
        return self.parameters
