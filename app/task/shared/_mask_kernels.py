"""Masks of dropouts drawn on a GPU: the numbers that NumPy's generator gives, to the last bit.

NumPy's PCG64 takes steps s <- a s + c modulo 2^128, and makes two numbers of 32 bits of each state.
k steps are s <- A s + C c with A = a^k and C = 1 + a + ... + a^(k - 1), so that each number of a
stream can be computed by itself. `TRITON_INTERPRET=1` runs the kernel on a CPU, slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from signfed.app.task.streams import FACTOR
from signfed.strategies.ops.upload import uploaded

WHOLE = 1 << 128
BLOCK = 256  # states that one program computes

Steps = tuple[int, int]  # A and C


@triton.jit
def _read(table, row):  # type: ignore[no-untyped-def]
    """The high and the low half of two numbers of 128 bits."""
    at = table + row * 4
    a_low, a_high = tl.load(at), tl.load(at + 1)
    b_low, b_high = tl.load(at + 2), tl.load(at + 3)
    return (
        a_high.to(tl.uint64, bitcast=True), a_low.to(tl.uint64, bitcast=True),
        b_high.to(tl.uint64, bitcast=True), b_low.to(tl.uint64, bitcast=True),
    )  # fmt: skip


@triton.jit
def _times(a_high, a_low, b_high, b_low):  # type: ignore[no-untyped-def]
    return tl.umulhi(a_low, b_low) + a_high * b_low + a_low * b_high, a_low * b_low


@triton.jit
def _stepped(steps, row, high, low, c_high, c_low):  # type: ignore[no-untyped-def]
    """The state after as many steps as that row of the table takes: A s + C c."""
    a_high, a_low, sum_high, sum_low = _read(steps, row)
    high, low = _times(a_high, a_low, high, low)
    more_high, more_low = _times(sum_high, sum_low, c_high, c_low)
    total = low + more_low
    return high + more_high + (total < low).to(tl.uint64), total


@triton.jit
def _masks(  # type: ignore[no-untyped-def]
    streams, to_block, to_lane, masks, n_values, first, rate, scale, BLOCK: tl.constexpr
):
    block, worker = tl.program_id(0), tl.program_id(1)  # of the second there are 65,535 at most
    lane = tl.arange(0, BLOCK)
    high, low, c_high, c_low = _read(streams, worker)
    high, low = _stepped(to_block, block, high, low, c_high, c_low)
    high, low = _stepped(to_lane, lane, high, low, c_high, c_low)
    turn, mixed = high >> 58, high ^ low
    word = (mixed >> turn) | (mixed << ((64 - turn) & 63))
    of_worker = masks + worker.to(tl.int64) * n_values
    for half in tl.static_range(2):
        number = (word >> (32 * half)).to(tl.uint32)
        value = (number >> 8).to(tl.float32) * (1.0 / 16777216.0)
        at = 2 * (block * BLOCK + lane) + half - first
        kept = tl.where(value >= rate, scale, 0.0)
        tl.store(of_worker + at, kept, mask=(at >= 0) & (at < n_values))


def draw_masks(
    rates: Sequence[float],
    shapes: Sequence[tuple[int, ...]],
    batch: int,
    streams: np.ndarray,
    device: torch.device,
) -> list[Tensor]:
    """Draw what `models.pure.draw_masks` draws for each worker, one worker's after another's.

    rates, shapes: as there. streams: int64 [M, 4], state and increment of each worker's generator,
    the low half of each first. Returns float32 [M * batch, *shape] of each dropout.
    """
    of_workers, drawn = uploaded(streams, device), 0
    masks = []
    for p, shape in zip(rates, shapes, strict=True):
        n_values = batch * math.prod(shape)
        states = (drawn + n_values + 1) // 2 - drawn // 2  # that they are halves of
        blocks = triton.cdiv(states, BLOCK)
        mask = torch.empty((len(streams) * batch, *shape), device=device)
        to_block = _table(drawn // 2, BLOCK, blocks, device)
        to_lane = _table(1, 1, BLOCK, device)
        rate, scale = float(np.float32(p)), float(np.float32(1 / (1 - p))) if p < 1 else 0.0
        _masks[blocks, len(streams)](
            of_workers, to_block, to_lane, mask, n_values, drawn % 2, rate, scale, BLOCK
        )
        masks.append(mask)
        drawn += n_values
    return masks


@lru_cache(maxsize=64)
def _table(start: int, stride: int, count: int, device: torch.device) -> Tensor:
    """A and C of start, start + stride, ... steps: int64 [count, 4], low halves first."""
    steps, by = _many(start), _many(stride)
    rows = []
    for _ in range(count):
        rows += [number.to_bytes(16, "little") for number in steps]
        steps = _then(steps, by)
    return torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.int64).view(-1, 4).to(device)


def _then(first: Steps, second: Steps) -> Steps:
    return first[0] * second[0] % WHOLE, (second[0] * first[1] + second[1]) % WHOLE


def _many(count: int) -> Steps:
    steps, power = (1, 0), (FACTOR, 1)
    while count:
        if count & 1:
            steps = _then(steps, power)
        power, count = _then(power, power), count >> 1
    return steps
