"""Whether a data set, a model and a loss fit one another, tried before anything starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from signfed.app.errors import ConfigError
from signfed.app.task.datasets import Dataset
from signfed.app.task.models import Spec, flatten


def check_fit(
    names: dict[str, str],
    spec: Spec,
    build: Callable[[], nn.Module],
    data: Dataset,
    loss: Callable[[Tensor, Tensor], Tensor],
    gradient: Callable[[np.ndarray, int, int], np.ndarray],
) -> None:
    """Raise ConfigError when one of what names {"task", "model", "loss"} does not fit the others.

    Tries two samples, and a gradient twice: it has to be the same.
    """
    model, task = f"model={names['model']!r}", f"task={names['task']!r}"
    x, y = data.to_input(data.train_x[:2]), data.train_y[:2]
    try:
        built = build()
        scores = built(x)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{model}: cannot take {task}, {spec.described()}: {error}") from error
    if not isinstance(scores, Tensor) or scores.shape != (len(y), spec.num_classes):
        raise ConfigError(
            f"{model}: expected scores [{len(y)}, {spec.num_classes}] for {len(y)} samples of "
            f"{task}; got {list(getattr(scores, 'shape', []))}"
        )
    try:
        value = loss(scores, y)
        if value.shape != () or not torch.isfinite(value):
            raise ValueError(f"expected one finite number, the batch's mean; got {value}")
        parameters = flatten(built).numpy()
        found = [gradient(parameters, 0, 1) for _ in range(2)]
    except Exception as error:
        raise ConfigError(f"{model}, loss={names['loss']!r}: no gradient: {error}") from error
    if not np.array_equal(*found):
        raise ConfigError(
            f"{model}, {task}, loss={names['loss']!r}: expected the same gradient from the same "
            "seed, worker and round; got two: draw from no global generator (nn.Dropout will do)"
        )
