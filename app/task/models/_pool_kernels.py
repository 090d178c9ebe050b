"""The slopes of a pool whose windows are tiles, by one kernel on a GPU.

Sizes are known when it is compiled, so that places are found without divisions.
`TRITON_INTERPRET=1` runs it on a CPU, slowly.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # values that one program writes


@triton.jit
def _slopes(  # type: ignore[no-untyped-def]
    gradient, chosen, slopes, n_values, H: tl.constexpr, W: tl.constexpr,
    HIGH: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = at < n_values
    x, row = at % W, at // W
    y, plane = row % H, row // H
    window = (plane * (H // HIGH) + y // HIGH) * (W // WIDE) + x // WIDE
    slope = tl.load(gradient + window, mask=there, other=0.0)
    pixel = tl.load(chosen + window, mask=there, other=-1)
    tl.store(slopes + at, tl.where(pixel == y * W + x, slope, 0.0), mask=there)


def slopes(gradient: Tensor, chosen: Tensor, image: tuple[int, int]) -> Tensor:
    """Give each window's slope to its chosen pixel, and 0 to the others.

    gradient, chosen (int64, y * W + x): [B, C, H / h, W / w]. image: H, W. Returns [B, C, H, W].
    """
    gradient, chosen = gradient.contiguous(), chosen.contiguous()
    (height, width), (rows, columns) = image, gradient.shape[2:]
    made = gradient.new_empty((*gradient.shape[:2], height, width))
    side = height // rows, width // columns
    grid = (triton.cdiv(made.numel(), BLOCK),)
    _slopes[grid](gradient, chosen, made, made.numel(), height, width, *side, BLOCK)
    return made
