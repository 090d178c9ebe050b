"""What a network's forward pass keeps for its backward pass, and what a GPU has room for."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from signfed.app.task.models.parameters import trainable
from signfed.app.task.shared.interception import Interception
from signfed.app.task.shared.layout import Layout
from signfed.app.task.shared.shared_pass import SharedPass
from signfed.app.task.shared.sink import Sink, columns_of

SHARE = 0.5  # of a card's memory for what the backward pass needs; the rest is for its gradients


def saved_bytes(model: nn.Module, x: Tensor) -> int:
    """Count what a forward pass keeps for one sample, in bytes.

    Parameters
    ----------
    model : nn.Module
        In training mode; it is copied.
    x : Tensor [B, ...]
        Some samples as they enter it, two at least for batch norm.

    Returns
    -------
    int
        What autograd saves in a shared pass, parameters left out, and the largest part once more:
        the gradient of one activation while the backward pass computes the next. By PyTorch's own
        forms, which keep less of norms, where a network has no shared pass.

    Examples
    --------
    A linear layer of 3 inputs keeps these; ReLU keeps its 5 outputs, and 5 more are under way:

    >>> saved_bytes(nn.Sequential(nn.Linear(3, 5), nn.ReLU()), torch.zeros(2, 3))
    52
    """
    model, x = copy.deepcopy(model).cpu(), x.cpu()
    sink = Sink(columns_of(trainable(model)), slice(0, 1))
    try:
        return _counted(model, x, Interception(SharedPass(Layout((len(x),)), sink)))
    except (RuntimeError, TypeError, ValueError):  # NotShared, or what a user's own makes of a form
        return _counted(model, x, nullcontext())


def _counted(model: nn.Module, x: Tensor, forms: AbstractContextManager[object]) -> int:
    kept: dict[int, int] = {}
    parameters = {parameter.data_ptr() for parameter in model.parameters()}

    def note(saved: Tensor) -> Tensor:
        if saved.data_ptr() not in parameters:
            kept[saved.data_ptr()] = saved.untyped_storage().nbytes()
        return saved

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved)
    with torch.enable_grad(), hooks, forms:
        scores = model(x)
    largest = max([scores.numel() * scores.element_size(), *kept.values()])
    return (sum(kept.values()) + largest) // len(x)


def samples_that_fit(per_sample: int, total: int) -> int:
    """Return how many samples a pass may have on a card with so many bytes.

    Parameters
    ----------
    per_sample : int
        Bytes, as counted.
    total : int
        Of the card. Not what is free, so that a run repeated beside other work has the same passes.

    Examples
    --------
    >>> samples_that_fit(100_000_000, 80_000_000_000)
    400
    """
    return max(1, int(SHARE * total) // max(1, per_sample))
