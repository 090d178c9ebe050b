"""The windows of a convolution written down as a matrix, by one kernel on a GPU.

Sizes are known when it is compiled, so that places are found without divisions.
`TRITON_INTERPRET=1` runs it on a CPU, slowly.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # values that one program writes


@triton.jit
def _windows(  # type: ignore[no-untyped-def]
    x, windows, n_samples, C: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    HIGH: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    DOWN: tl.constexpr, RIGHT: tl.constexpr, PAD_Y: tl.constexpr, PAD_X: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Write pixel (dy, dx) of all windows in channel c of some samples."""
    place, part = tl.program_id(0), tl.program_id(2)
    dx, rest = place % WIDE, place // WIDE
    dy, c = rest % HIGH, rest // HIGH
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    column, row = at % COLUMNS, at // COLUMNS % ROWS
    sample = at // (COLUMNS * ROWS)
    from_y, from_x = row * DOWN + dy - PAD_Y, column * RIGHT + dx - PAD_X
    there = sample < n_samples
    inside = there & (from_y >= 0) & (from_y < H) & (from_x >= 0) & (from_x < W)
    of_part = x + part.to(tl.int64) * n_samples * (C * H * W)
    value = tl.load(of_part + (sample * C + c) * (H * W) + from_y * W + from_x, inside, other=0.0)
    to = windows + (part.to(tl.int64) * (C * HIGH * WIDE) + place) * n_samples * (ROWS * COLUMNS)
    tl.store(to + at, value, mask=there)


def windows(
    x: Tensor, parts: int, side: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]
) -> Tensor:
    """Write down the windows of images x [parts * B, C, H, W]: [parts, C * h * w, B * pixels].

    pixels: of the output, B samples one after the other. side h, w; stride and pad down and right.
    """
    x, (total, c, height, width) = x.contiguous(), x.shape
    high, wide = side
    rows = (height + 2 * pad[0] - high) // stride[0] + 1
    columns = (width + 2 * pad[1] - wide) // stride[1] + 1
    samples = total // parts
    made = x.new_empty((parts, c * high * wide, samples * rows * columns))
    grid = c * high * wide, triton.cdiv(samples * rows * columns, BLOCK), parts
    _windows[grid](
        x, made, samples, c, height, width, high, wide, rows, columns, *stride, *pad, BLOCK
    )
    return made
