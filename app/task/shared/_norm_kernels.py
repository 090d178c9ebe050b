"""Batch norm of several workers' samples in four kernels: what `_norm_tensors` computes.

As tensor operations a batch norm goes through its input fifteen times, in float32; here five times
in the input's own type, twice on the way forward. Each worker's rows, its samples' pixels, are cut
into parts; a program adds up one part of some channels, and the next kernel adds up the parts, each
time in the same order: the same bits twice. `TRITON_INTERPRET=1` runs the kernels on a CPU, slowly.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

VALUES = 2048  # that a program takes at a time
PARTS = 32  # of a worker's rows, at most
MANY = 792  # programs that fill a GPU


@triton.jit
def _places(channels, row, length, of_sample, of_pixel, of_channel):  # type: ignore[no-untyped-def]
    """Where values lie: row r is pixel r % length of sample r // length."""
    at = row // length * of_sample + row % length * of_pixel
    return at[:, None] + (channels * of_channel)[None, :]


@triton.jit
def _sum_parts(  # type: ignore[no-untyped-def]
    parts, worker, channels, inside, n_channels, n_parts, PARTS: tl.constexpr
):
    part = tl.arange(0, PARTS)
    at = ((worker * n_parts + part) * 2 * n_channels)[:, None] + channels[None, :]
    there = (part < n_parts)[:, None] & inside[None, :]
    first = tl.sum(tl.load(parts + at, mask=there, other=0.0), 0)
    return first, tl.sum(tl.load(parts + at + n_channels, mask=there, other=0.0), 0)


@triton.jit
def _moments(  # type: ignore[no-untyped-def]
    x, parts, n_rows, n_channels, length, of_sample, of_pixel, of_channel, span, n_parts,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Add up x - shift and its square, where the shift is the worker's first value."""
    worker, part = tl.program_id(0), tl.program_id(1)
    channels = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channels < n_channels
    of_worker = x + worker.to(tl.int64) * n_rows * n_channels
    shift = tl.load(of_worker + channels * of_channel, mask=inside, other=0.0).to(tl.float32)
    total, squares = tl.zeros((ROWS, CHANNELS), tl.float32), tl.zeros((ROWS, CHANNELS), tl.float32)
    last = tl.minimum(part * span + span, n_rows)
    for start in range(part * span, last, ROWS):
        row = start + tl.arange(0, ROWS)
        there = (row < last)[:, None] & inside[None, :]
        at = _places(channels, row, length, of_sample, of_pixel, of_channel)
        apart = tl.load(of_worker + at, mask=there, other=0.0).to(tl.float32) - shift[None, :]
        apart = tl.where(there, apart, 0.0)
        total += apart
        squares += apart * apart
    to = parts + (worker * n_parts + part) * 2 * n_channels + channels
    tl.store(to, tl.sum(total, 0), mask=inside)
    tl.store(to + n_channels, tl.sum(squares, 0), mask=inside)


@triton.jit
def _normalise(  # type: ignore[no-untyped-def]
    x, parts, weight, bias, y, means, rstds, eps,
    n_rows, n_channels, length, of_sample, of_pixel, of_channel, span, n_parts,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    worker, part = tl.program_id(0), tl.program_id(1)
    channels = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channels < n_channels
    first = worker.to(tl.int64) * n_rows * n_channels
    shift = tl.load(x + first + channels * of_channel, mask=inside, other=0.0).to(tl.float32)
    total, squares = _sum_parts(parts, worker, channels, inside, n_channels, n_parts, PARTS)
    apart = total / n_rows
    mean = shift + apart
    variance = tl.maximum(squares / n_rows - apart * apart, 0.0)
    rstd = 1.0 / tl.sqrt(variance + eps)
    if part == 0:
        tl.store(means + worker * n_channels + channels, mean, mask=inside)
        tl.store(rstds + worker * n_channels + channels, rstd, mask=inside)
    factor, plus = rstd, tl.zeros((CHANNELS,), tl.float32)
    if weight is not None:
        factor = rstd * tl.load(weight + channels, mask=inside, other=0.0).to(tl.float32)
    if bias is not None:
        plus = tl.load(bias + channels, mask=inside, other=0.0).to(tl.float32)
    last = tl.minimum(part * span + span, n_rows)
    for start in range(part * span, last, ROWS):
        row = start + tl.arange(0, ROWS)
        there = (row < last)[:, None] & inside[None, :]
        at = first + _places(channels, row, length, of_sample, of_pixel, of_channel)
        value = tl.load(x + at, mask=there, other=0.0).to(tl.float32)
        made = (value - mean[None, :]) * factor[None, :] + plus[None, :]
        tl.store(y + at, made.to(y.dtype.element_ty), mask=there)


@triton.jit
def _sums(  # type: ignore[no-untyped-def]
    x, gradient, means, rstds, parts,
    n_rows, n_channels, length, of_sample, of_pixel, of_channel, span, n_parts,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Add up g and g x^."""
    worker, part = tl.program_id(0), tl.program_id(1)
    channels = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channels < n_channels
    mean = tl.load(means + worker * n_channels + channels, mask=inside, other=0.0)
    rstd = tl.load(rstds + worker * n_channels + channels, mask=inside, other=0.0)
    first = worker.to(tl.int64) * n_rows * n_channels
    total, product = tl.zeros((ROWS, CHANNELS), tl.float32), tl.zeros((ROWS, CHANNELS), tl.float32)
    last = tl.minimum(part * span + span, n_rows)
    for start in range(part * span, last, ROWS):
        row = start + tl.arange(0, ROWS)
        there = (row < last)[:, None] & inside[None, :]
        at = first + _places(channels, row, length, of_sample, of_pixel, of_channel)
        apart = tl.load(x + at, mask=there, other=0.0).to(tl.float32) - mean[None, :]
        slope = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
        total += slope
        product += slope * apart
    to = parts + (worker * n_parts + part) * 2 * n_channels + channels
    tl.store(to, tl.sum(total, 0), mask=inside)
    tl.store(to + n_channels, tl.sum(product, 0) * rstd, mask=inside)


@triton.jit
def _slopes(  # type: ignore[no-untyped-def]
    x, gradient, parts, weight, means, rstds, on_x, on_weight, on_bias,
    n_rows, n_channels, length, of_sample, of_pixel, of_channel, span, n_parts,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    worker, part = tl.program_id(0), tl.program_id(1)
    channels = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channels < n_channels
    total, product = _sum_parts(parts, worker, channels, inside, n_channels, n_parts, PARTS)
    if part == 0:
        tl.store(on_bias + worker * n_channels + channels, total, mask=inside)
        tl.store(on_weight + worker * n_channels + channels, product, mask=inside)
    mean = tl.load(means + worker * n_channels + channels, mask=inside, other=0.0)
    rstd = tl.load(rstds + worker * n_channels + channels, mask=inside, other=0.0)
    factor = rstd
    if weight is not None:
        factor = rstd * tl.load(weight + channels, mask=inside, other=0.0).to(tl.float32)
    total, product = total / n_rows, product / n_rows * rstd
    first = worker.to(tl.int64) * n_rows * n_channels
    last = tl.minimum(part * span + span, n_rows)
    for start in range(part * span, last, ROWS):
        row = start + tl.arange(0, ROWS)
        there = (row < last)[:, None] & inside[None, :]
        at = first + _places(channels, row, length, of_sample, of_pixel, of_channel)
        apart = tl.load(x + at, mask=there, other=0.0).to(tl.float32) - mean[None, :]
        slope = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
        made = factor[None, :] * (slope - total[None, :] - apart * product[None, :])
        tl.store(on_x + at, made.to(on_x.dtype.element_ty), mask=there)


def normalised(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, workers: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return y, and mean and rstd: x [workers * B, C, ...]; the statistics [workers, C]."""
    x = x if _channels_last(x) else x.contiguous()
    sizes, tile, grid = _cut(x, workers)
    parts = torch.empty((workers, grid[1], 2, x.shape[1]), device=x.device)
    mean, rstd = torch.empty((2, workers, x.shape[1]), device=x.device)
    y = torch.empty_like(x)
    _moments[grid](x, parts, *sizes, **tile)
    _normalise[grid](x, parts, weight, bias, y, mean, rstd, eps, *sizes, **tile, PARTS=PARTS)
    return y, mean, rstd


def slopes(
    x: Tensor, gradient: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gx of the shape of x, gw and gb [workers, C]."""
    x = x if _channels_last(x) else x.contiguous()
    if gradient.stride() != x.stride():
        gradient = torch.empty_like(x, dtype=gradient.dtype).copy_(gradient)
    sizes, tile, grid = _cut(x, len(mean))
    parts = torch.empty((len(mean), grid[1], 2, x.shape[1]), device=x.device)
    on_weight, on_bias = torch.empty((2, *mean.shape), device=x.device)
    on_x = torch.empty_like(gradient)
    _sums[grid](x, gradient, mean, rstd, parts, *sizes, **tile)
    _slopes[grid](
        x, gradient, parts, weight, mean, rstd, on_x, on_weight, on_bias,
        *sizes, **tile, PARTS=PARTS,
    )  # fmt: skip
    return on_x, on_weight, on_bias


def _channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


def _cut(x: Tensor, workers: int) -> tuple[tuple[int, ...], dict[str, Any], tuple[int, int, int]]:
    """Return the sizes that all kernels get, the tile of a program, and the grid of programs."""
    n_channels, length = x.shape[1], x.shape[2:].numel()
    n_rows = x.shape[0] // workers * length
    if _channels_last(x) or length == 1:
        strides, channels = (length * n_channels, n_channels, 1), triton.next_power_of_2(n_channels)
        channels = min(64, channels)
    else:
        strides, channels = (length * n_channels, 1, length), 1
    rows = VALUES // channels
    blocks = triton.cdiv(n_channels, channels)
    parts = max(1, min(PARTS, MANY // (workers * blocks), triton.cdiv(n_rows, rows)))
    span = triton.cdiv(triton.cdiv(n_rows, parts), rows) * rows
    parts = triton.cdiv(n_rows, span)
    sizes = (n_rows, n_channels, length, *strides, span, parts)
    return sizes, {"ROWS": rows, "CHANNELS": channels}, (workers, parts, blocks)
