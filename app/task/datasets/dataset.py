"""A data set as arrays in memory, with the way from stored values to network input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class DataMissing(ValueError):
    """A data set is not where it should be."""


class Augment(Protocol):
    """Random changes of a batch, the drawing apart from the doing: a batch is drawn by one worker's
    generator, and changed with those of others in one call on the device.
    """

    def draw(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """What happens to each sample: [batch, k]."""

    def __call__(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Samples as stored [n, ...], with what was drawn for them [n, k], changed."""


def as_float(x: Tensor) -> Tensor:
    return x.to(torch.float32)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as stored, [n, ...] of any dtype, and labels int64 [n], 0 to num_classes - 1.

    to_input: a batch as stored -> network input, float32 (tokens: int64). augment: random changes
    of training samples before that. vocabulary: number of different tokens, 0 where there are none.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    to_input: Callable[[Tensor], Tensor] = as_float
    augment: Augment | None = None
    vocabulary: int = 0
