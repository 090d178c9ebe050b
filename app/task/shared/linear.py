"""Linear layers: one product forward, one for the inputs' gradient, a batch of them for weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from signfed.app.task.shared.shared_pass import Handler, SharedPass, rounded


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, of: SharedPass) -> Tensor:
        w = weight.to(x.dtype)
        ctx.save_for_backward(x, w)
        ctx.of, ctx.parameters = of, (weight, bias)
        return F.linear(x, w, None if bias is None else bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (weight, bias), of = ctx.saved_tensors, ctx.parameters, ctx.of
        # A sample may have several rows, such as one for each token: they add up.
        rows, g = (t.reshape(-1, t.shape[-1]) for t in (x, gradient))
        if of.sink.owns(weight):
            of.sink.put(weight, _products(of, g, rows))
        if of.sink.owns(bias):
            of.sink.put(bias, of.layout.sums(g.to(bias.dtype)))
        return gradient @ w if ctx.needs_input_grad[0] else None, None, None, None


def _products(of: SharedPass, gradient: Tensor, x: Tensor) -> Any:
    """g^T x of each worker's rows."""
    if of.layout.equal:
        return torch.bmm(of.layout.together(gradient).mT, of.layout.together(x))
    parts = zip(of.layout.split(gradient), of.layout.split(x), strict=True)
    return (g.mT @ rows for g, rows in parts)


def linear(of: SharedPass, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x W^T + b; dW = g^T x by worker.

    Parameters
    ----------
    of : SharedPass
    input, weight, bias : Tensor
        As for torch's function.
    """
    if input.dim() < 2 or not of.layout.fits(input) or not of.by_worker(weight, bias):
        return NotImplemented
    of.sink.expect(weight, bias)
    return _Linear.apply(rounded(input), weight, bias, of)


HANDLERS: dict[Callable[..., Any], Handler] = {F.linear: linear}
