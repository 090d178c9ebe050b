"""Packed signs on an NVIDIA GPU: one kernel for each operation, the bits of the tensor operations.

A round makes many small operations, and to start a kernel costs more than most of them. Sums are of
integers, so their order changes nothing. `TRITON_INTERPRET=1` runs the kernels on a CPU, slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256  # bytes of a row that one program takes at a time
TILES = 16, 64  # rows of a tile of pairs: few, as few as tensor cores take, or many
MANY = 1056  # programs that fill a GPU
# Of a grid's axes only the first takes more than 65,535 programs: rows and blocks share it.


@triton.jit
def _pack(  # type: ignore[no-untyped-def]
    values, bits, n_coordinates, width, n_blocks, BLOCK: tl.constexpr
):
    row = (tl.program_id(0) // n_blocks).to(tl.int64)
    byte = tl.program_id(0) % n_blocks * BLOCK + tl.arange(0, BLOCK)
    place = tl.arange(0, 8)[None, :]
    at = byte[:, None] * 8 + place
    read = tl.load(values + row * n_coordinates + at, mask=at < n_coordinates, other=-1.0)
    packed = tl.sum((read >= 0).to(tl.int32) << place, 1)
    tl.store(bits + row * width + byte, packed.to(tl.uint8), mask=byte < width)


@triton.jit
def _signs(  # type: ignore[no-untyped-def]
    bits, values, n_coordinates, width, n_blocks, BLOCK: tl.constexpr
):
    row = (tl.program_id(0) // n_blocks).to(tl.int64)
    byte = tl.program_id(0) % n_blocks * BLOCK + tl.arange(0, BLOCK)
    place = tl.arange(0, 8)[None, :]
    at = byte[:, None] * 8 + place
    packed = tl.load(bits + row * width + byte, mask=byte < width, other=0).to(tl.int32)
    ones = (packed[:, None] >> place) & 1
    tl.store(values + row * n_coordinates + at, 2.0 * ones - 1.0, mask=at < n_coordinates)


@triton.jit
def _at_least(  # type: ignore[no-untyped-def]
    bits, votes, found, n_rows, n_votes, width, BLOCK: tl.constexpr
):
    byte = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.arange(0, 8)[None, :]
    ones = tl.zeros((BLOCK, 8), tl.int32)
    row = bits + byte
    for _ in range(n_rows):
        packed = tl.load(row, mask=byte < width, other=0).to(tl.int32)
        ones += (packed[:, None] >> place) & 1
        row += width
    for i in range(n_votes):
        enough = tl.sum((ones >= tl.load(votes + i)).to(tl.int32) << place, 1)
        tl.store(found + i * width + byte, enough.to(tl.uint8), mask=byte < width)


@triton.jit
def _disagreements(  # type: ignore[no-untyped-def]
    bits, other, counts, width, span, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    first = tl.program_id(1) * span
    total = tl.zeros((BLOCK,), tl.int32)
    for start in range(first, tl.minimum(first + span, width), BLOCK):
        byte = start + tl.arange(0, BLOCK)
        a = tl.load(bits + row * width + byte, mask=byte < width, other=0).to(tl.int32)
        b = tl.load(other + byte, mask=byte < width, other=0).to(tl.int32)
        differ = a ^ b
        pairs = differ - ((differ >> 1) & 0x55)
        fours = (pairs & 0x33) + ((pairs >> 2) & 0x33)
        total += (fours + (fours >> 4)) & 0x0F
    tl.atomic_add(counts + row, tl.sum(total, 0).to(tl.int64))


@triton.jit
def _in_common(  # type: ignore[no-untyped-def]
    bits, counts, n_rows, width, span, BLOCK: tl.constexpr, TILE: tl.constexpr
):
    i = tl.program_id(0) * TILE + tl.arange(0, TILE)
    j = tl.program_id(1) * TILE + tl.arange(0, TILE)
    first = tl.program_id(2) * span
    place = tl.arange(0, 8)[None, None, :]
    total = tl.zeros((TILE, TILE), tl.int32)
    for start in range(first, tl.minimum(first + span, width), BLOCK):
        byte = (start + tl.arange(0, BLOCK))[None, :]
        at_i, at_j = i.to(tl.int64)[:, None] * width + byte, j.to(tl.int64)[:, None] * width + byte
        there = byte < width
        a = tl.load(bits + at_i, mask=(i < n_rows)[:, None] & there, other=0).to(tl.int32)
        b = tl.load(bits + at_j, mask=(j < n_rows)[:, None] & there, other=0).to(tl.int32)
        ones_a = tl.reshape((a[:, :, None] >> place) & 1, (TILE, BLOCK * 8)).to(tl.int8)
        ones_b = tl.reshape((b[:, :, None] >> place) & 1, (TILE, BLOCK * 8)).to(tl.int8)
        total += tl.dot(ones_a, tl.trans(ones_b), out_dtype=tl.int32)
    at = i[:, None] * n_rows + j[None, :]
    inside = (i < n_rows)[:, None] & (j < n_rows)[None, :]
    tl.atomic_add(counts + at, total.to(tl.int64), mask=inside)


@triton.jit
def _right_where_narrow(  # type: ignore[no-untyped-def]
    bits, weights, spans, counts, n_rows, accepted, n_spans, width, BLOCK: tl.constexpr
):
    byte = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.arange(0, 8)[None, :]
    ones = tl.zeros((BLOCK, 8), tl.int32)
    row = bits + byte
    for i in range(n_rows):
        if tl.load(weights + i) > 0:
            packed = tl.load(row, mask=byte < width, other=0).to(tl.int32)
            ones += (packed[:, None] >> place) & 1
        row += width
    vote = (2 * ones >= accepted).to(tl.int32)
    for t in range(n_spans):
        narrow = (ones >= tl.load(spans + 2 * t)) & (ones < tl.load(spans + 2 * t + 1))
        narrow = (narrow & (2 * ones != accepted)).to(tl.int32)
        found = counts + t * (n_rows + 1)
        tl.atomic_add(found + n_rows, tl.sum(narrow).to(tl.int64))
        row = bits + byte
        for i in range(n_rows):
            if tl.load(weights + i) < 0:
                packed = tl.load(row, mask=byte < width, other=0).to(tl.int32)
                right = ((packed[:, None] >> place) & 1) ^ vote
                tl.atomic_add(found + i, tl.sum(right & narrow).to(tl.int64))
            row += width


@triton.jit
def _weighed(  # type: ignore[no-untyped-def]
    bits, weights, voted, n_rows, width, n_coordinates, BLOCK: tl.constexpr
):
    byte = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.arange(0, 8)[None, :]
    total = tl.zeros((BLOCK, 8), tl.int32)
    row = bits + byte
    for i in range(n_rows):
        weight = tl.load(weights + i)
        if weight != 0:
            packed = tl.load(row, mask=byte < width, other=0).to(tl.int32)
            total += (2 * ((packed[:, None] >> place) & 1) - 1) * weight
        row += width
    inside = byte[:, None] * 8 + place < n_coordinates
    found = tl.sum(((total >= 0) & inside).to(tl.int32) << place, 1)
    tl.store(voted + byte, found.to(tl.uint8), mask=byte < width)


def pack(values: Tensor) -> Tensor:
    """Pack the signs of float [n, N] or [N] to uint8 [..., ceil(N/8)]: 1 where it is >= 0."""
    n_coordinates = values.shape[-1]
    width = -(-n_coordinates // 8)
    rows = values.contiguous().view(-1, n_coordinates)
    bits = torch.empty((len(rows), width), dtype=torch.uint8, device=values.device)
    blocks = triton.cdiv(width, BLOCK)
    _pack[(len(rows) * blocks,)](rows, bits, n_coordinates, width, blocks, BLOCK)
    return bits.view(*values.shape[:-1], width)


def signs(packed: Tensor, n_coordinates: int) -> Tensor:
    """Unpack uint8 [..., ceil(N/8)] to +1 and -1, float32 [..., N]."""
    width = packed.shape[-1]
    rows = packed.contiguous().view(-1, width)
    values = torch.empty((len(rows), n_coordinates), device=packed.device)
    blocks = triton.cdiv(width, BLOCK)
    _signs[(len(rows) * blocks,)](rows, values, n_coordinates, width, blocks, BLOCK)
    return values.view(*packed.shape[:-1], n_coordinates)


def at_least(packed: Tensor, votes: Sequence[int]) -> list[Tensor]:
    """Return where at least so many rows say +1: uint8 [n, W] -> uint8 [W] for each number."""
    packed, (n, width) = packed.contiguous(), packed.shape
    found = torch.empty((len(votes), width), dtype=torch.uint8, device=packed.device)
    numbers = _on_device(tuple(votes), packed.device)
    grid = (triton.cdiv(width, BLOCK),)
    _at_least[grid](packed, numbers, found, n, len(votes), width, BLOCK)
    return list(found)


def disagreements(packed: Tensor, other: Tensor) -> Tensor:
    """Count differing bits: uint8 [n, W] and [W] -> int64 [n]."""
    packed, (n, width) = packed.contiguous(), packed.shape
    counts = torch.zeros(n, dtype=torch.int64, device=packed.device)
    span, parts = _spans(width, n)
    _disagreements[n, parts](packed, other.contiguous(), counts, width, span, BLOCK)
    return counts


def pairwise(packed: Tensor) -> Tensor:
    """Count the differing bits of each two rows: uint8 [n, W] -> int64 [n, n].

    Two rows differ in |a| + |b| - 2 <a, b> places, with the ones of both on tensor cores.
    """
    packed, (n, width) = packed.contiguous(), packed.shape
    common = torch.zeros((n, n), dtype=torch.int64, device=packed.device)
    tile = TILES[n > 2 * TILES[0]]
    tiles = triton.cdiv(n, tile)
    span, parts = _spans(width, tiles * tiles)
    _in_common[tiles, tiles, parts](packed, common, n, width, span, 2048 // tile, tile)
    own = common.diagonal()
    return own[:, None] + own[None, :] - 2 * common


def right_where_narrow(
    packed: Tensor, weights: Tensor, accepted: int, spans: Sequence[tuple[int, int]]
) -> Tensor:
    """Count where rows, read inverted, agree with a narrow majority; see `_tensors`."""
    packed, (n, width) = packed.contiguous(), packed.shape
    counts = torch.zeros((len(spans), n + 1), dtype=torch.int64, device=packed.device)
    numbers = _on_device(tuple(chain.from_iterable(spans)), packed.device)
    grid = (triton.cdiv(width, BLOCK),)
    _right_where_narrow[grid](
        packed, weights, numbers, counts, n, accepted, len(spans), width, BLOCK
    )
    return counts


def weighed(packed: Tensor, weights: Tensor, n_coordinates: int) -> Tensor:
    """Return sum_i w_i Y_i >= 0: uint8 [n, W] and int32 [n] -> uint8 [W], padding zero."""
    packed, (n, width) = packed.contiguous(), packed.shape
    voted = torch.empty(width, dtype=torch.uint8, device=packed.device)
    grid = (triton.cdiv(width, BLOCK),)
    _weighed[grid](packed, weights, voted, n, width, n_coordinates, BLOCK)
    return voted


def _spans(width: int, others: int) -> tuple[int, int]:
    """How many bytes a program takes, so that all of them fill the device, and how many parts."""
    parts = max(1, min(triton.cdiv(width, BLOCK), MANY // others))
    span = triton.cdiv(triton.cdiv(width, parts), BLOCK) * BLOCK
    return span, triton.cdiv(width, span)


@lru_cache(maxsize=64)
def _on_device(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32, device=device)
