"""What a user wrote: a model, a data set or a loss, named module:function."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from signfed.app.errors import ConfigError
from signfed.app.task.datasets.dataset import Dataset


def found(kind: str, path: str) -> Callable[..., Any]:
    """The function. kind: the run-config key that names it. Raises ConfigError."""
    module_name, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, TypeError, ValueError, SyntaxError) as error:
        raise ConfigError(
            f"{kind}={path!r}: {error}; expected module:function, the module's file in the folder "
            "of pyproject.toml or in the one where you start"
        ) from error
    if not callable(function):
        raise ConfigError(f"{kind}={path!r}: expected a function, got {type(function).__name__}")
    return function


def own_data(path: str, data_dir: Path, download: bool) -> Dataset:
    """What the user's function(data_dir, download) gives, known to be a usable data set.

    Raises ConfigError, and DataMissing where the function does.
    """
    data = found("task", path)(data_dir, download)
    if not isinstance(data, Dataset):
        raise ConfigError(f"task={path!r}: expected an app.task.Dataset; got {type(data).__name__}")
    for part, x, y in (
        ("training", data.train_x, data.train_y),
        ("test", data.test_x, data.test_y),
    ):
        if not len(x) == len(y) > 0:
            raise ConfigError(
                f"task={path!r}: expected a label for each of at least one {part} sample; got "
                f"{len(x)} samples and {len(y)} labels"
            )
        if y.dtype != torch.int64 or y.ndim != 1 or y.min() < 0:
            raise ConfigError(f"task={path!r}: expected {part} labels int64 [n] of at least 0")
    return data
