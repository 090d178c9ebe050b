"""The optimizer step that turns a rule's direction into the next model."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.optim.sgd import sgd

Schedule = Literal["constant", "inverse-sqrt", "steps"]


def model_sha256(parameters: np.ndarray) -> str:
    """Return the SHA-256 by which models are compared: of nodes and server, and in reports.

    Parameters
    ----------
    parameters : ndarray
        float32 [N]; hashed as little-endian bytes.

    Examples
    --------
    >>> model_sha256(np.zeros(2)) == model_sha256(-np.zeros(2))  # bits, not values
    False
    """
    return hashlib.sha256(np.ascontiguousarray(parameters, dtype="<f4").data).hexdigest()


@dataclass(frozen=True)
class Step:
    """The hyper-parameters of SGD on the flat parameter vector x, with direction v as gradient.

    buf <- momentum buf + (v + weight_decay x); x <- x - lr_t buf, as torch.optim.SGD does it.

    Parameters
    ----------
    lr : float
        Learning rate, > 0.
    momentum : float
        In [0, 1).
    weight_decay : float
        >= 0.
    schedule : "constant", "inverse-sqrt" or "steps"
        lr_t = lr, lr / sqrt(t), or lr gamma^k with k the number of milestones below t.
    milestones : tuple of int
        Ascending; of "steps".
    gamma : float
        Of "steps".

    Examples
    --------
    >>> Step(0.5, schedule="steps", milestones=(2,)).lr_at(3)
    0.05
    """

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def lr_at(self, t: int) -> float:
        """Return lr_t of step t = 1, 2, ...; t counts the steps that were taken."""
        if self.schedule == "inverse-sqrt":
            return self.lr / math.sqrt(t)
        if self.schedule == "steps":
            return self.lr * self.gamma ** bisect_right(self.milestones, t - 1)
        return self.lr


class Descent:
    """The model under way: parameters, optimizer state, number of steps taken.

    Parameters
    ----------
    step : Step
    parameters : Tensor
        Where to start or to go on, float32 [N]; copied.
    momentum : Tensor, optional
        SGD's buffer, float32 [N]; copied. None before the first step and without momentum.
    taken : int
        Steps taken so far.
    """

    def __init__(
        self, step: Step, parameters: Tensor, momentum: Tensor | None = None, taken: int = 0
    ) -> None:
        self._step = step
        self.taken = taken
        self._flat = parameters.clone()
        self._buffers = [None if momentum is None else momentum.to(parameters, copy=True)]
        self._undone: Tensor | None = None  # the buffer before the last step

    @property
    def parameters(self) -> Tensor:
        """float32 [N], a copy."""
        return self._flat.clone()

    @property
    def momentum(self) -> Tensor | None:
        """SGD's buffer, float32 [N], not a copy; None where there is none."""
        return self._buffers[0]

    def take(self, direction: Tensor, only_if: Tensor | None = None) -> Tensor:
        """Take one step along a direction.

        Parameters
        ----------
        direction : Tensor, float [N]
        only_if : Tensor, bool [], optional
            Whether the model moves at all, as the device alone knows yet. Where it turns out that
            it did not, call `not_taken`.

        Returns
        -------
        Tensor, float32 [N]
            The new parameters, a copy.
        """
        self.taken += 1
        before, self._undone = self._flat, self._buffers[0]
        if only_if is not None and not self._step.momentum:
            self._flat = torch.where(only_if, self._moved(direction), before)
            return self.parameters
        if only_if is not None:
            self._flat = before.clone()
            self._buffers = [None if self._undone is None else self._undone.clone()]
        # The function under torch.optim.SGD. An object of that class imports torch's compiler,
        # which costs time and memory that a device may not have.
        sgd(
            [self._flat], [direction.to(self._flat)], self._buffers,
            weight_decay=self._step.weight_decay, momentum=self._step.momentum,
            lr=self._step.lr_at(self.taken), dampening=0.0, nesterov=False, maximize=False,
            foreach=False,
        )  # fmt: skip
        if only_if is not None:
            self._flat = torch.where(only_if, self._flat, before)
            made = self._buffers[0]
            if self._undone is not None and made is not None:
                self._buffers = [torch.where(only_if, made, self._undone)]
        return self.parameters

    def _moved(self, direction: Tensor) -> Tensor:
        """Where a step without momentum leads: the operations of `sgd`, but not in place."""
        gradient = direction.to(self._flat)
        if self._step.weight_decay:
            gradient = gradient.add(self._flat, alpha=self._step.weight_decay)
        return self._flat.add(gradient, alpha=-self._step.lr_at(self.taken))

    def not_taken(self) -> None:
        """Note that the last step, taken `only_if`, was none."""
        self.taken -= 1
        self._buffers = [self._undone]
