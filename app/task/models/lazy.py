"""Modules that learn their sizes from a first batch."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from signfed.app.task.models.spec import Spec


def materialised(model: nn.Module, spec: Spec) -> nn.Module:
    """Return the model with its lazy parameters initialised, by a forward pass of two samples.

    Parameters
    ----------
    model : nn.Module
        Any network; it is changed.
    spec : Spec
        The samples are zeros of its shape.

    Raises
    ------
    ValueError
        When a parameter is still without a shape afterwards.
    """
    if not _lazy(model):
        return model
    kind = torch.int64 if spec.vocabulary else torch.float32
    with torch.no_grad():
        model(torch.zeros(2, *spec.input_shape, dtype=kind))
    if left := _lazy(model):
        raise ValueError(f"a forward pass leaves lazy parameters without a shape: {left}")
    return model


def _lazy(model: nn.Module) -> list[str]:
    named = chain(model.named_parameters(), model.named_buffers())
    return [name for name, tensor in named if is_lazy(tensor)]
