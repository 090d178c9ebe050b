"""Batch norm: each worker's samples are normalised by their own mean and variance."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from signfed.app.task.shared.conv import MOST
from signfed.app.task.shared.norms import scaled
from signfed.app.task.shared.shared_pass import Handler, NotShared, SharedPass
from signfed.strategies.ops.devices import runs_kernels


class _ByWorker(Function):
    """PyTorch's own kernel for each worker: the bits that a worker alone would have."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, of: SharedPass
    ) -> Tensor:
        found = [
            torch.native_batch_norm(part, weight, bias, None, None, True, 0.0, eps)
            for part in of.layout.split(x)
        ]
        y, mean, scale = (list(part) for part in zip(*found, strict=True))
        ctx.save_for_backward(x, *mean, *scale)
        ctx.of, ctx.eps, ctx.parameters = of, eps, (weight, bias)
        return torch.cat(y)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, *statistics), (weight, bias), of = ctx.saved_tensors, ctx.parameters, ctx.of
        n = len(of.layout.sizes)
        wanted = [ctx.needs_input_grad[0], of.sink.owns(weight), of.sink.owns(bias)]
        parts = zip(
            of.layout.split(gradient), of.layout.split(x), statistics[:n], statistics[n:],
            strict=True,
        )  # fmt: skip
        found = [
            torch.ops.aten.native_batch_norm_backward(
                g, part, weight, None, None, mean, scale, True, ctx.eps, wanted
            )
            for g, part, mean, scale in parts
        ]
        on_x, on_weight, on_bias = zip(*found, strict=True)
        if wanted[1]:
            of.sink.put(weight, on_weight)
        if wanted[2]:
            of.sink.put(bias, on_bias)
        return torch.cat(on_x) if wanted[0] else None, None, None, None, None


class _AtOnce(Function):
    """All workers' statistics at once, for a GPU, where a call for each of many workers costs more
    than its work."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, of: SharedPass
    ) -> Tensor:
        y, mean, rstd = _sums(x, len(of.layout.sizes)).normalised(
            x, weight, bias, eps, len(of.layout.sizes)
        )
        ctx.save_for_backward(x, mean, rstd)
        ctx.of, ctx.parameters = of, (weight, bias)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, mean, rstd), (weight, bias), of = ctx.saved_tensors, ctx.parameters, ctx.of
        on_x, on_weight, on_bias = _sums(x, len(mean)).slopes(x, gradient, weight, mean, rstd)
        if of.sink.owns(weight):
            of.sink.put(weight, on_weight)
        if of.sink.owns(bias):
            of.sink.put(bias, on_bias)
        return on_x, None, None, None, None


def _sums(x: Tensor, workers: int) -> ModuleType:
    """Kernels where the device runs them, which compute in float32, else tensor operations."""
    kernels = x.dtype != torch.float64 and runs_kernels(x.device) and x.numel() // workers < MOST
    return import_module(
        "signfed.app.task.shared._norm_kernels"
        if kernels
        else "signfed.app.task.shared._norm_tensors"
    )


def batch_norm(
    of: SharedPass,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each worker's batch by itself; with fixed statistics each sample.

    Parameters
    ----------
    of : SharedPass
    input, running_mean, running_var, weight, bias, training, momentum, eps
        As for torch's function.

    Returns
    -------
    Tensor
        Of the input's shape; NotImplemented where no parameter is trained and nothing is shared.

    Raises
    ------
    NotShared
        When the samples are not one worker's after another's, or running statistics are kept.
    """
    if not training:
        if not of.by_worker(weight, bias):
            return NotImplemented
        x = F.batch_norm(input, running_mean, running_var, None, None, False, momentum, eps)
        return scaled(of, x, weight, bias)
    if running_mean is not None or running_var is not None:
        raise NotShared("a batch norm that keeps running statistics")
    if not of.layout.fits(input) or input.dim() < 2:
        raise NotShared(f"a batch norm of {list(input.shape)}, not a row for each sample")
    for parameter in (weight, bias):
        if parameter is not None and parameter.requires_grad and not of.sink.owns(parameter):
            raise NotShared("a batch norm whose scale or shift is computed from parameters")
    of.sink.expect(weight, bias)
    at_once = of.at_once and of.layout.equal
    return (_AtOnce if at_once else _ByWorker).apply(input, weight, bias, eps, of)


HANDLERS: dict[Callable[..., Any], Handler] = {F.batch_norm: batch_norm}
