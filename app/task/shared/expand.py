"""A parameter that meets every sample: sums, products and whatever else broadcasts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from signfed.app.task.shared.shared_pass import Handler, SharedPass

ARITHMETIC = (
    "add", "sub", "mul", "div", "true_divide", "__radd__", "__rmul__", "__rsub__", "__rdiv__",
    "__rtruediv__", "pow", "maximum", "minimum",
)  # fmt: skip


class _Expand(Function):
    @staticmethod
    def forward(ctx: Any, parameter: Tensor, samples: int, dims: int, of: SharedPass) -> Tensor:
        ctx.of, ctx.parameter = of, parameter
        alone = parameter.reshape(*(1 for _ in range(dims - parameter.dim())), *parameter.shape)
        return alone.expand(samples, *alone.shape[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, ...]:
        sums = ctx.of.layout.sums(gradient.to(ctx.parameter.dtype))
        ctx.of.sink.put(ctx.parameter, sums)
        return None, None, None, None


def expanded(of: SharedPass, parameter: Tensor, x: Tensor) -> Tensor:
    """Return a parameter as one for each row of x, without copying it.

    Its gradient has a row for each row of x, so it costs as much memory as x where x has the
    parameter's shape besides.

    Parameters
    ----------
    of : SharedPass
    parameter : Tensor
        Trained or not; what is not is returned as it is.
    x : Tensor [rows, ...]
        What it broadcasts with: it has more dimensions, or as many and the parameter's first is 1.
    """
    if not of.sink.owns(parameter):
        return parameter
    of.sink.expect(parameter)
    return _Expand.apply(parameter, x.shape[0], x.dim(), of)


def broadcasts(of: SharedPass, parameter: Any, x: Any) -> bool:
    """Tell whether x has rows of samples that a trained parameter meets one by one.

    Parameters
    ----------
    of : SharedPass
    parameter, x : object
        What a function was called with.
    """
    if not of.sink.owns(parameter) or not isinstance(x, Tensor) or of.sink.owns(x):
        return False
    more = x.dim() > parameter.dim() or (x.dim() == parameter.dim() and parameter.shape[0] == 1)
    return more and of.layout.fits(x)


def arithmetic(
    of: SharedPass, input: Any, other: Any, *, function: Callable[..., Tensor], **others: Any
) -> Tensor:
    """Compute a (+) b where one of them is a parameter and the other one has rows of samples.

    Parameters
    ----------
    of : SharedPass
    input, other : Tensor or number
        a and b.
    function : callable
        Of torch.
    **others : object
        Such as alpha, which has no such form.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if others:
        return NotImplemented
    if broadcasts(of, input, other):
        return function(expanded(of, input, other), other)
    if broadcasts(of, other, input):
        return function(input, expanded(of, other, input))
    return NotImplemented


def expand(of: SharedPass, parameter: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """Expand a parameter whose first dimension is 1 to one for each sample: a class token, say.

    Parameters
    ----------
    of : SharedPass
    parameter : Tensor [1, ...]
    *sizes : int, or one sequence of them
    size : sequence of int, optional
        As for `Tensor.expand`.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if not of.sink.owns(parameter):
        return NotImplemented
    sizes = sizes or (size,)
    shape = list(sizes if isinstance(sizes[0], int) else sizes[0])
    fits = len(shape) == parameter.dim() > 0 and parameter.shape[0] == 1 and shape[0] > 0
    if not fits or shape[0] % of.layout.total:
        return NotImplemented
    of.sink.expect(parameter)
    rows = _Expand.apply(parameter, shape[0], parameter.dim(), of)
    return rows.expand(shape)


def prelu(of: SharedPass, input: Tensor, weight: Tensor) -> Tensor:
    """Return x where it is positive, and weight * x elsewhere, by channel.

    Parameters
    ----------
    of : SharedPass
    input, weight : Tensor
        As for torch's function.
    """
    if not of.layout.fits(input) or not of.by_worker(weight):
        return NotImplemented
    slopes = channels(of, weight, input) if input.dim() > 1 else expanded(of, weight, input)
    return torch.where(input > 0, input, slopes * input)


def channels(of: SharedPass, parameter: Tensor, x: Tensor) -> Tensor:
    """Return a parameter of one number a channel as it meets x [rows, channels, ...].

    Parameters
    ----------
    of : SharedPass
    parameter : Tensor [channels]
    x : Tensor
    """
    rows = expanded(of, parameter, x.flatten(2)[..., 0] if x.dim() > 2 else x)
    return rows.reshape(*rows.shape[: rows.dim()], *(1 for _ in x.shape[2:]))


HANDLERS: dict[Callable[..., Any], Handler] = {
    **{
        function: partial(arithmetic, function=function)
        for name in ARITHMETIC
        for owner in (torch, Tensor)
        if (function := getattr(owner, name, None)) is not None
    },
    Tensor.expand: expand,
    torch.prelu: prelu,
}
