"""Images as attacks see them, and what an attack makes of a batch or of the test set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from signfed.app.errors import ConfigError
from signfed.app.task.datasets.dataset import Dataset
from signfed.attacks.core.data import Batch, Trigger
from signfed.clients import Poison

Sides = tuple[int, int]  # height and width


def as_images(x: Tensor, sides: Sides) -> np.ndarray:
    """Return samples as stored, [n, ...], as images: float32 [n, C, H, W], bytes from 0 to 1.

    Parameters
    ----------
    x : Tensor [n, ...]
        The samples.
    sides : (int, int)
        Height and width.

    Examples
    --------
    >>> as_images(torch.tensor([[0, 255]], dtype=torch.uint8), (1, 2)).tolist()
    [[[[0.0, 1.0]]]]
    """
    images = x.cpu().reshape(len(x), -1, *sides).to(torch.float32)
    return (images / 255.0 if x.dtype == torch.uint8 else images).numpy()


def as_stored(images: np.ndarray, like: Tensor) -> Tensor:
    """Return images in the shape, the type and the place of the samples that they came from.

    Parameters
    ----------
    images : ndarray, float32 [n, C, H, W]
        From 0 (black) to 1 (white).
    like : Tensor [n, ...]
        The samples.
    """
    x = torch.from_numpy(images)
    if like.dtype == torch.uint8:
        x = (x * 255.0).round().clamp(0, 255)
    return x.to(like).view(like.shape)


def poisoned(x: Tensor, y: Tensor, sides: Sides | None, poison: Poison) -> tuple[Tensor, ...]:
    """Return what an attack makes of a batch.

    Parameters
    ----------
    x : Tensor
        Samples as stored, [n, ...].
    y : Tensor
        Labels, int64 [n].
    sides : (int, int), optional
        Where samples are images.
    poison : Poison

    Returns
    -------
    samples, labels, boost : Tensor
        boost, float32 []: what the gradient is multiplied by.
    """
    batch = poison(Batch(y.cpu().numpy(), None if sides is None else as_images(x, sides)))
    if batch.images is not None:
        x = as_stored(batch.images, x)
    return x, torch.from_numpy(batch.labels).to(y), torch.tensor(batch.boost).to(x.device)


def triggered(data: Dataset, trigger: Trigger) -> Dataset:
    """Return the data with a test set of which a backdoor gets the more right the better it works.

    It has the test images of all classes but the target, with the trigger, labelled as the target.
    A model's accuracy on it is the backdoor's success rate.

    Parameters
    ----------
    data : Dataset
        Of images.
    trigger : Trigger
        Of the backdoor.

    Raises
    ------
    ConfigError
        When samples are no images, or the test set has no other class.
    """
    if data.sides is None:
        raise ConfigError("expected a data set with sides: height and width of its images")
    other = data.test_y != trigger.target
    if not other.any():
        raise ConfigError(
            f"expected test images of another class than {trigger.target}, the backdoor's target"
        )
    x = data.test_x[other]
    stamped = np.ascontiguousarray(trigger.stamp(as_images(x, data.sides)), np.float32)
    y = torch.full_like(data.test_y[other], trigger.target)
    return replace(data, test_x=as_stored(stamped, x), test_y=y)
