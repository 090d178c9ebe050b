"""What a network's forward pass keeps for its backward pass, and what a GPU has room for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from signfed.app.task.models.parameters import trainable
from signfed.app.task.shared.conv import ROOM, Geometry, convolution, is_small
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


def windows_of(model: nn.Module, x: Tensor) -> int:
    """Count what the windows of one sample take in the convolution with the most, in bytes.

    Of those whose weight gradients are products over windows; in bfloat16 none are.

    Parameters
    ----------
    model : nn.Module
        In training mode; it is copied.
    x : Tensor [B, ...]
        Some samples as they enter it, two at least for batch norm.

    Returns
    -------
    int
        0 where there are none.

    Examples
    --------
    Two outputs of windows of 3 x 2 values:

    >>> windows_of(nn.Conv2d(3, 5, (1, 2)), torch.zeros(2, 3, 1, 3))
    48
    """
    with torch.no_grad(), _Windows() as windows:
        copy.deepcopy(model).cpu()(x.cpu())
    return windows.most // len(x)


class _Windows(TorchFunctionMode):
    """Bytes of the windows of the convolution that has the most."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func is torch.conv2d and made.dim() == 4:
            given = signature(convolution).bind(None, *args, **(kwargs or {}), dims=2)
            given.apply_defaults()
            x, weight = given.arguments["input"], given.arguments["weight"]
            dilation, groups = given.arguments["dilation"], given.arguments["groups"]
            each = [dilation] * 2 if isinstance(dilation, int) else list(dilation)
            if is_small(x, weight, Geometry([], [], each, False, [], groups)):
                pixels = len(made) * made.shape[2:].numel()
                self.most = max(self.most, pixels * weight[0].numel() * made.element_size())
        return made


def windows_at_once(of_one: int, workers: int) -> int:
    """Return the bytes of windows that are written down at a time, at most.

    Parameters
    ----------
    of_one : int
        Bytes of one worker's.
    workers : int
        Of a pass.

    Examples
    --------
    >>> windows_at_once(1 << 20, 4) >> 20, windows_at_once(1 << 28, 50) >> 20
    (4, 512)
    """
    return max(of_one, min(ROOM, workers * of_one))


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
