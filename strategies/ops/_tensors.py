"""Packed signs as plain tensor operations, for any device: the bits of the NumPy loops."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pack(values: Tensor) -> Tensor:
    """Pack the signs of float [..., N] to uint8 [..., ceil(N/8)]: 1 where it is >= 0."""
    padded = torch.nn.functional.pad(values >= 0, (0, -values.shape[-1] % 8))
    return _bytes(padded.unflatten(-1, (padded.shape[-1] // 8, 8)))


def signs(packed: Tensor, n_coordinates: int) -> Tensor:
    """Unpack uint8 [..., ceil(N/8)] to +1 and -1, float32 [..., N]."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    ones = (packed.unsqueeze(-1) >> shifts & 1).flatten(-2)[..., :n_coordinates]
    return ones.to(torch.float32) * 2.0 - 1.0


def at_least(packed: Tensor, votes: Sequence[int]) -> list[Tensor]:
    """Return where at least so many rows say +1: uint8 [n, W] -> uint8 [W] for each number."""
    ones = _ones_by_place(packed)
    return [_bytes(ones >= number) for number in votes]


def disagreements(packed: Tensor, other: Tensor) -> Tensor:
    """Count differing bits: uint8 [n, W] and [W] -> int64 [n]."""
    return _popcount(packed ^ other).sum(dim=1, dtype=torch.int64)


def pairwise(packed: Tensor) -> Tensor:
    """Count the differing bits of each two rows: uint8 [n, W] -> int64 [n, n]."""
    return torch.stack([disagreements(packed, row) for row in packed])


def _ones_by_place(packed: Tensor) -> Tensor:
    """Count the rows that say +1: int32 [W, 8], for each of the eight bits of a byte."""
    # Bit by bit: all bits of all rows at once would take eight times the memory of the rows.
    votes = [(packed >> bit & 1).sum(dim=0, dtype=torch.int32) for bit in range(8)]
    return torch.stack(votes, dim=-1)


def _bytes(ones: Tensor) -> Tensor:
    """Make one byte of eight bits, the lowest first: bool [..., 8] -> uint8 [...]."""
    shifts = torch.arange(8, dtype=torch.uint8, device=ones.device)
    return (ones.to(torch.uint8) << shifts).sum(dim=-1, dtype=torch.uint8)


def _popcount(values: Tensor) -> Tensor:
    """Count the ones in each byte: uint8 -> uint8."""
    pairs = values - (values >> 1 & 0x55)
    fours = (pairs & 0x33) + (pairs >> 2 & 0x33)
    return fours + (fours >> 4) & 0x0F
