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


def right_where_narrow(
    packed: Tensor, weights: Tensor, accepted: int, spans: Sequence[tuple[int, int]]
) -> Tensor:
    """Count where rows, read inverted, agree with a narrow majority of the rows with weight 1.

    uint8 [n, W], int32 [n], their number, votes (fewest, more) each -> int64 [spans, n + 1]: of
    each row with weight -1, then the coordinates that are so narrow. Ties are left out.
    """
    n = len(packed)
    counts = torch.zeros((len(spans), n + 1), dtype=torch.int64, device=packed.device)
    for bit in range(8):
        ones = packed >> bit & 1
        votes = (ones * (weights > 0)[:, None]).sum(dim=0, dtype=torch.int32)
        right = ones != (2 * votes >= accepted)
        for found, (fewest, more) in zip(counts, spans, strict=True):
            narrow = (votes >= fewest) & (votes < more) & (2 * votes != accepted)
            found[:n] += (right & narrow).sum(dim=1) * (weights < 0)
            found[n] += narrow.sum()
    return counts


def weighed(packed: Tensor, weights: Tensor, n_coordinates: int) -> Tensor:
    """Return sum_i w_i Y_i >= 0: uint8 [n, W] and int32 [n] -> uint8 [W], padding zero."""
    total = [((2 * (packed >> bit & 1).to(torch.int32) - 1) * weights[:, None]).sum(dim=0)
             for bit in range(8)]  # fmt: skip
    voted = torch.stack(total, dim=-1) >= 0
    inside = torch.arange(voted.numel(), device=packed.device).view(voted.shape) < n_coordinates
    return _bytes(voted & inside)


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
