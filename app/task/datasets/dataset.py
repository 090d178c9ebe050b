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
    """Random changes of a batch, the drawing apart from the doing.

    A worker's generator draws what happens to its batch; the batch is changed together with those
    of other workers, in one call on the device.
    """

    def draw(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Return what happens to each sample, ndarray [batch, k].

        Parameters
        ----------
        rng : np.random.Generator
            The worker's, in its round.
        batch : int
            Number of samples.
        """

    def __call__(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Return the samples with what was drawn for them done to them.

        Parameters
        ----------
        x : Tensor [n, ...]
            As stored.
        drawn : Tensor [n, k]
            What `draw` returned, of one worker or several.
        """


def as_float(x: Tensor) -> Tensor:
    """Return samples as float32."""
    return x.to(torch.float32)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test samples in memory, with the way from stored values to network input.

    Parameters
    ----------
    train_x, test_x : Tensor
        Samples as stored, [n, ...] of any dtype.
    train_y, test_y : Tensor
        Labels, int64 [n], 0 to num_classes - 1.
    to_input : callable, optional
        A batch as stored -> network input, float32 (tokens: int64). It gets copies.
    augment : Augment, optional
        Random changes of training samples before that.
    vocabulary : int
        Number of different tokens; 0 where samples are no tokens.
    sides : (int, int), optional
        Height and width, where samples are images: stored as [n, ..., height, width] or flat, as
        bytes or from 0 (black) to 1 (white). An attack on images needs it.

    Examples
    --------
    >>> x, y = torch.arange(6).view(6, 1), torch.arange(6) % 2
    >>> data = Dataset(x[:4], y[:4], x[4:], y[4:], to_input=lambda x: x / 6)
    >>> len(data.train_y), len(data.test_y)
    (4, 2)
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    to_input: Callable[[Tensor], Tensor] = as_float
    augment: Augment | None = None
    vocabulary: int = 0
    sides: tuple[int, int] | None = None
