"""What a user wrote: a data set, a model or a loss, named module:function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from signfed.app.errors import ConfigError
from signfed.app.task.datasets.dataset import DataMissing, Dataset
from signfed.app.task.seeded import seeded
from signfed.strategies.core.own import load, reason

LIKELY_CLASSES = 1000  # so many numbers may go unused; beyond, ten for each class that occurs
TENSORS = ("train_x", "train_y", "test_x", "test_y")


def found(kind: str, path: str) -> Callable[..., Any]:
    """Import the user's function, under seeded generators.

    Parameters
    ----------
    kind : {"task", "model", "loss"}
        The run-config key that names it.
    path : str
        `module:function`.

    Returns
    -------
    callable
        The function.

    Raises
    ------
    ConfigError
        When there is no such function, or its module fails; with file and line.
    """
    try:
        with seeded(0):
            function = load(path, "function")
    except ValueError as error:
        raise ConfigError(f"{kind}={path!r}: {error}") from error
    if not callable(function):
        raise ConfigError(f"{kind}={path!r}: expected a function, got {type(function).__name__}")
    return function


def own_data(path: str, data_dir: Path, download: bool) -> Dataset:
    """Call the user's loader under seeded generators, and check what it returns.

    Parameters
    ----------
    path : str
        `module:function`; the function takes (data_dir, download).
    data_dir : Path
    download : bool
        What it is called with.

    Returns
    -------
    Dataset
        With its tensors on the CPU.

    Raises
    ------
    ConfigError
        When the loader fails, or does not return a usable data set.
    DataMissing
        When the loader raises it.
    """
    load = found("task", path)
    try:
        with seeded(0):
            data = load(data_dir, download)
    except (ConfigError, DataMissing):
        raise
    except Exception as error:
        raise ConfigError(f"task={path!r}: {reason(error)}") from error
    if wrong := _wrong(data):
        raise ConfigError(f"task={path!r}: {wrong}")
    held = {name: getattr(data, name).detach().cpu() for name in TENSORS}
    return replace(data, **held)


def _wrong(data: Any) -> str:
    """What is wrong with a user's data set, with what was expected; empty if nothing."""
    if not isinstance(data, Dataset):
        return f"expected a signfed.Dataset; got {type(data).__name__}"
    for name in TENSORS:
        value = getattr(data, name)
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            return f"{name}: expected a torch.Tensor (torch.as_tensor makes one); got {kind}"
    if data.train_x.ndim == 0 or data.train_x.shape[1:] != data.test_x.shape[1:]:
        shapes = f"{list(data.train_x.shape)} and {list(data.test_x.shape)}"
        return f"expected training and test samples [n, ...] of one shape; got {shapes}"
    for part, x, y in (
        ("training", data.train_x, data.train_y),
        ("test", data.test_x, data.test_y),
    ):
        if y.ndim != 1 or y.dtype != torch.int64:
            return f"expected {part} labels int64 [n]; got {y.dtype} {list(y.shape)}"
        if not len(x) == len(y) > 0:
            return (
                f"expected a label for each of at least one {part} sample; got {len(x)} samples "
                f"and {len(y)} labels"
            )
        if y.min() < 0:
            return f"expected {part} labels of at least 0; got {int(y.min())}"
    if wrong := _no_images(data):
        return wrong
    return _gaps(torch.cat([data.train_y.cpu(), data.test_y.cpu()]))


def _no_images(data: Dataset) -> str:
    """What is wrong with the sides of a user's images; empty if nothing."""
    sides, n = data.sides, data.train_x[0].numel()
    if sides is None or (
        isinstance(sides, tuple)
        and len(sides) == 2
        and all(type(side) is int and side > 0 for side in sides)
        and n % (sides[0] * sides[1]) == 0
    ):
        return ""
    return (
        "sides: expected None, or height and width of the images, whose product divides the "
        f"{n} values of a sample; got {sides!r}"
    )


def _gaps(labels: Tensor) -> str:
    """What is wrong with labels that number few classes far apart: a network has an output each."""
    largest, classes = int(labels.max()), len(labels.unique())
    limit = max(LIKELY_CLASSES, 10 * classes)
    if largest < limit:
        return ""
    return (
        f"expected classes numbered 0, 1, 2, ..., below {limit:,} for {classes} different labels; "
        f"got {largest:,}; torch.unique(labels, return_inverse=True) numbers them anew"
    )


class OwnLoss:
    """A user's loss whose result is checked where it returns.

    Parameters
    ----------
    path : str
        `module:function`; the function takes scores float32 [B, C] and labels int64 [B].

    Raises
    ------
    ConfigError
        When there is no such function, or it does not return a tensor with one number.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._function = found("loss", path)

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the batch's mean loss, a tensor of shape [].

        Parameters
        ----------
        scores : Tensor, float32 [B, C]
            Of the network.
        labels : Tensor, int64 [B]
            Of the batch.

        Raises
        ------
        ConfigError
            When the function returns anything else.
        """
        value = self._function(scores, labels)
        if isinstance(value, Tensor) and value.shape == ():
            return value
        got = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ConfigError(
            f"loss={self._path!r}: expected a tensor with one number, the batch's mean; got {got}"
        )
