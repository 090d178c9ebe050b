"""Convolutions: one forward call, one for the inputs' gradient, weight gradients by worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from signfed.app.task.shared.shared_pass import Handler, SharedPass, rounded
from signfed.strategies.ops.devices import runs_kernels

CONVOLUTIONS = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}
SMALL = 1 << 16  # weights of a convolution that takes all workers' gradients as products
MOST = 1 << 31  # values whose places a kernel can name
ROOM = 1 << 29  # bytes of the windows that are written down at a time
FULL = 528  # tiles of a product that fill a GPU
TRANSPOSED = {torch.conv_transpose1d: 1, torch.conv_transpose2d: 2, torch.conv_transpose3d: 3}


class Geometry(NamedTuple):
    """The last arguments of aten.convolution, in its order."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    output_padding: list[int]
    groups: int


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, how: Geometry, of: SharedPass
    ) -> Tensor:
        w = weight.to(x.dtype)
        if of.channels_last and x.dim() == 4:
            x, w = (t.contiguous(memory_format=torch.channels_last) for t in (x, w))
        ctx.save_for_backward(x, w)
        ctx.of, ctx.how, ctx.parameters = of, how, (weight, bias)
        return torch.ops.aten.convolution(x, w, None if bias is None else bias.to(x.dtype), *how)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (weight, bias), of = ctx.saved_tensors, ctx.parameters, ctx.of
        backward = partial(_backward, w=w, how=ctx.how)
        on_x = backward(gradient, x, wanted=[True, False, False])[0] if (
            ctx.needs_input_grad[0]
        ) else None  # fmt: skip
        if of.sink.owns(weight):
            if of.at_once and of.layout.equal and is_small(x, w, ctx.how):
                of.sink.put(weight, _products(of, gradient, x, w, ctx.how))
            else:
                parts = zip(of.layout.split(gradient), of.layout.split(x), strict=True)
                of.sink.put(
                    weight, (backward(g, x, wanted=[False, True, False])[1] for g, x in parts)
                )
        if of.sink.owns(bias):
            pixels = gradient.flatten(2).sum(2, dtype=bias.dtype)
            of.sink.put(bias, of.layout.sums(pixels))
        return on_x, None, None, None, None


def is_small(x: Tensor, w: Tensor, how: Geometry) -> bool:
    """Tell whether a call for each worker costs more than to write its windows down.

    In bfloat16, on tensor cores, a call is the faster one.

    Parameters
    ----------
    x, w : Tensor
        Input and weight.
    how : Geometry
    """
    plain = not how.transposed and how.groups == 1 and how.dilation == [1, 1]
    return plain and x.dtype != torch.bfloat16 and w.numel() <= SMALL


def _products(of: SharedPass, gradient: Tensor, x: Tensor, w: Tensor, how: Geometry) -> Tensor:
    """The weight's gradient of each worker: the outputs' gradients times the windows of its images,
    both written down as matrices; so many workers at a time as have room for their windows."""
    (high, wide), pixels = w.shape[2:], gradient.shape[2:].numel()
    slopes = of.layout.together(gradient)
    workers, batch = slopes.shape[:2]
    # A product of few rows and columns would keep few of the card's cores busy.
    tiles = workers * -(-w.shape[0] // 64) * -(-w[0].numel() // 64)
    wanted = min(FULL, tiles * batch)
    sums = next(n for n in range(1, batch + 1) if batch % n == 0 and n * tiles >= wanted)
    slopes = slopes.unflatten(1, (sums, -1)).transpose(2, 3)  # [M, sums, C_out, B / sums, pixels]
    some = max(1, ROOM // (batch * pixels * w[0].numel() * x.element_size()))
    parts = zip(of.layout.together(x).split(some), slopes.split(some), strict=True)
    return torch.cat([
        (slope.flatten(3) @ _windows(part, sums, (high, wide), how).mT).sum(1)
        for part, slope in parts
    ])  # fmt: skip


def _windows(x: Tensor, sums: int, side: tuple[int, int], how: Geometry) -> Tensor:
    """Write down the windows of workers' images: [M, B, C, H, W] -> [M, sums, C h w, pixels]."""
    workers, batch = x.shape[:2]
    (down, right), (high, wide) = how.padding, side
    if runs_kernels(x.device) and batch // sums * x[0, 0].numel() < MOST:
        kernels = import_module("signfed.app.task.shared._window_kernels")
        made: Tensor = kernels.windows(
            x.flatten(0, 1), workers * sums, side, tuple(how.stride), (down, right)
        )
        return made.unflatten(0, (workers, sums))
    padded = F.pad(x, (right, right, down, down)) if down or right else x
    found = padded.unfold(3, high, how.stride[0]).unfold(4, wide, how.stride[1])
    found = found.unflatten(1, (sums, -1)).permute(0, 1, 3, 6, 7, 2, 4, 5)
    return found.flatten(5).flatten(2, 4)


def _backward(
    gradient: Tensor, x: Tensor, *, w: Tensor, how: Geometry, wanted: list[bool]
) -> tuple[Tensor, ...]:
    """The gradients of input, weight and bias, as far as they are wanted."""
    return torch.ops.aten.convolution_backward(gradient, x, w, None, *how, wanted)


def convolution(
    of: SharedPass,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    dims: int,
) -> Tensor:
    """Convolve; a weight's gradient is one call for each worker, on its own samples.

    Parameters
    ----------
    of : SharedPass
    input, weight, bias, stride, padding, dilation, groups
        As for torch's function.
    dims : int
        Of an image.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if input.dim() != dims + 2 or not of.layout.fits(input) or not of.by_worker(weight, bias):
        return NotImplemented
    dilations = _each(dilation, dims)
    if isinstance(padding, str):
        input, padding = _padded(padding, input, weight, dilations)
    how = Geometry(
        _each(stride, dims), _each(padding, dims), dilations, False, [0] * dims, groups
    )  # fmt: skip
    return _applied(of, input, weight, bias, how)


def transposed_convolution(
    of: SharedPass,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    dims: int,
) -> Tensor:
    """Convolve, transposed, in the same way.

    Parameters
    ----------
    of : SharedPass
    input, weight, bias, stride, padding, output_padding, groups, dilation
        As for torch's function.
    dims : int
        Of an image.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if input.dim() != dims + 2 or not of.layout.fits(input) or not of.by_worker(weight, bias):
        return NotImplemented
    how = Geometry(
        _each(stride, dims), _each(padding, dims), _each(dilation, dims), True,
        _each(output_padding, dims), groups,
    )  # fmt: skip
    return _applied(of, input, weight, bias, how)


def _applied(
    of: SharedPass, x: Tensor, weight: Tensor, bias: Tensor | None, how: Geometry
) -> Tensor:
    of.sink.expect(weight, bias)
    return _Convolution.apply(rounded(x), weight, bias, how, of)


def _each(value: int | Sequence[int], dims: int) -> list[int]:
    """A number for each dimension; torch takes one for all, too."""
    if isinstance(value, int):
        return [value] * dims
    return list(value) * (dims if len(value) == 1 else 1)


def _padded(
    kind: str, x: Tensor, weight: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, list[int]]:
    """What "same" and "valid" are in numbers; an odd row of zeros goes to the end."""
    sides = weight.shape[2:]
    if kind == "valid":
        return x, [0] * len(sides)
    rows = [dilation * (side - 1) for dilation, side in zip(dilations, sides, strict=True)]
    if any(row % 2 for row in rows):
        x = F.pad(x, [n for row in reversed(rows) for n in (0, row % 2)])
    return x, [row // 2 for row in rows]


HANDLERS: dict[Callable[..., Any], Handler] = {
    **{function: partial(convolution, dims=dims) for function, dims in CONVOLUTIONS.items()},
    **{
        function: partial(transposed_convolution, dims=dims)
        for function, dims in TRANSPOSED.items()
    },
}
