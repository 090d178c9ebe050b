"""PyTorch's maximum over windows of an image, several times as fast on a CPU, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from signfed.strategies.ops.devices import runs_kernels

aten = torch.ops.aten
MOST = 1 << 31  # values whose places a kernel can name
FEW = 8  # channels below which there is nothing to vectorise


class _ChannelsLast(Function):
    """PyTorch's kernel goes through a window pixel by pixel where channels come first; where they
    come last it takes many channels at a time. The backward pass is fast as it is."""

    @staticmethod
    def forward(x: Tensor, *window: Any) -> tuple[Tensor, Tensor]:
        y, place = aten.max_pool2d_with_indices(
            x.contiguous(memory_format=torch.channels_last), *window
        )
        return y.contiguous(), place.contiguous()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, *ctx.window = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(x, output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Any, ...]:
        x, place = ctx.saved_tensors
        slope = aten.max_pool2d_with_indices_backward(gradient, x, *ctx.window, place)
        return slope, *(None for _ in ctx.window)

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], x: Tensor, *window: Any) -> tuple[Any, Any]:
        many = x.movedim(in_dims[0] or 0, 0)
        made = _ChannelsLast.apply(many.flatten(0, 1), *window)
        return tuple(part.unflatten(0, many.shape[:2]) for part in made), (0, 0)


class _Tiles(Function):
    """On a GPU, where windows share no pixel and leave none out: a pixel gets the slope of its
    window or nothing. PyTorch's kernel looks for the windows of each pixel."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, *side: int) -> tuple[Tensor, Tensor]:
        y, place = aten.max_pool2d_with_indices(x, list(side))
        return y, place

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, *ctx.side = inputs
        ctx.shape = x.shape
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Any, ...]:
        [place] = ctx.saved_tensors
        return _Slopes.apply(gradient, place, *ctx.shape[2:]), None, None


class _Slopes(Function):
    """The backward pass of `_Tiles`, by a kernel where there is one."""

    @staticmethod
    def forward(gradient: Tensor, place: Tensor, height: int, width: int) -> Tensor:
        if runs_kernels(place.device) and gradient.shape[:2].numel() * height * width < MOST:
            kernels = import_module("signfed.app.task.models._pool_kernels")
            made: Tensor = kernels.slopes(gradient, place, (height, width))
            return made
        rows, columns = place.shape[2:]
        pixels = torch.arange(height * width, device=place.device)
        pixels = pixels.view(rows, height // rows, columns, width // columns)
        chosen = place[:, :, :, None, :, None] == pixels
        slope = torch.where(chosen, gradient[:, :, :, None, :, None], 0.0)
        return slope.reshape(*place.shape[:2], height, width)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], *given: Any) -> tuple[Any, int]:
        many = [
            each.expand(info.batch_size, *each.shape) if dim is None else each.movedim(dim, 0)
            for each, dim in zip(given[:2], in_dims[:2], strict=True)
        ]
        slope = _Slopes.apply(*(each.flatten(0, 1) for each in many), *given[2:])
        return slope.unflatten(0, many[0].shape[:2]), 0


class MaxPool2d(nn.MaxPool2d):
    """PyTorch's module of that name, values and slopes to the bit.

    Examples
    --------
    >>> MaxPool2d(2)(torch.arange(16.0).view(1, 1, 4, 4))
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """

    def forward(self, x: Tensor) -> Any:
        if x.device.type == "cuda" and x.is_contiguous() and self._tiles(x):
            return _Tiles.apply(x, *_pair(self.kernel_size))[0]
        on_cpu = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
        if self.return_indices or not on_cpu or x.dim() != 4 or x.shape[1] < FEW:
            return super().forward(x)
        window = [
            _pair(each) for each in (self.kernel_size, self.stride, self.padding, self.dilation)
        ]
        return _ChannelsLast.apply(x, *window, self.ceil_mode)[0]

    def _tiles(self, x: Tensor) -> bool:
        """Whether each pixel of x is in one window."""
        side = _pair(self.kernel_size)
        if self.return_indices or x.dim() != 4 or _pair(self.stride) != side:
            return False
        if any((*_pair(self.padding), *(d - 1 for d in _pair(self.dilation)))):
            return False
        return not any(n % k for n, k in zip(x.shape[2:], side, strict=True))


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, Sequence) else [value, value]
