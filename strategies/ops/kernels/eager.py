"""The sign kernels in PyTorch, for tensors on any device: the same bits as NumPy's.

Written to be compiled (`compiled`), one graph each; as they are, slower than NumPy's on a CPU, they
are what an accelerator falls back to. Where a float sum has an order or each row has its counts,
the loop over the rows is part of the graph: `grouped` hands in a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pack(values: Tensor) -> Tensor:
    """`bits.pack`: float [..., N] -> uint8 [..., ceil(N/8)]."""
    return _pack(values >= 0)


def unpack(packed: Tensor, n_coordinates: int) -> Tensor:
    """`bits.unpack`: uint8 [..., ceil(N/8)] -> uint8 0/1 [..., N]."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(-1) >> shifts) & 1).flatten(-2)[..., :n_coordinates]


def signs(packed: Tensor, n_coordinates: int) -> Tensor:
    """`bits.signs`: uint8 [..., ceil(N/8)] -> float32 +1/-1 [..., N]."""
    return unpack(packed, n_coordinates).to(torch.float32) * 2.0 - 1.0


def majority_vote(packed: Tensor) -> Tensor:
    """`majority.majority_vote`: uint8 [n, W] -> uint8 [W], n >= 1."""
    return _bytes([2 * votes >= len(packed) for votes in _votes(packed)])


def tied(packed: Tensor) -> Tensor:
    """`majority.tied`: uint8 [n, W] -> uint8 [W], n >= 2 and even."""
    return _bytes([2 * votes == len(packed) for votes in _votes(packed)])


def add_votes(score: Tensor, packed: Tensor, weights: Tensor, edges: Tensor) -> Tensor:
    """score + w_1 Y_1 + w_2 Y_2 + ..., in this order: float32 [N].

    packed: uint8 [n, ceil(N/8)]; weights: float32 [n, blocks]; edges: int64 [blocks + 1], 0 to N.
    """
    coordinates = torch.arange(len(score), device=score.device)
    block = torch.bucketize(coordinates, edges, right=True) - 1
    for row, weight in zip(packed.unbind(), weights.unbind(), strict=True):
        score = _add(score, row, weight[block])
    return score


def add_votes_by_count(
    score: Tensor, packed: Tensor, counts: Sequence[Tensor], tables: Tensor
) -> Tensor:
    """The same with w_mn = tables[m][counts[m][n]].

    counts: 16 bits as int16 [N] per row; tables: float32 [n, T], T > the largest count.
    """
    for row, count, table in zip(packed.unbind(), counts, tables.unbind(), strict=True):
        score = _add(score, row, table.index_select(0, count.to(torch.int32) & 0xFFFF))
    return score


def vote_and_count(
    score: Tensor, packed: Tensor, counts: Sequence[Tensor], tables: Tensor
) -> Tensor:
    """U, the signs of that sum: uint8 [ceil(N/8)]; and counts[m] += Y_m != U, IN PLACE."""
    voted = add_votes_by_count(score, packed, counts, tables) >= 0
    for row, count in zip(packed.unbind(), counts, strict=True):
        count += unpack(row, len(count)) != voted
    return _pack(voted)


def count_disagreements(packed: Tensor, decoded: Tensor, counts: Sequence[Tensor]) -> None:
    """counts[m] += Y_m != U; counts: int16 [N] per row, CHANGED IN PLACE."""
    for row, count in zip(packed.unbind(), counts, strict=True):
        count += unpack(row ^ decoded, len(count))


def block_disagreements(packed: Tensor, decoded: Tensor, edges: Tensor) -> Tensor:
    """`popcount.block_disagreements`: int64 [n, blocks]; edges: int64 [blocks + 1]."""
    differ = torch.nn.functional.pad(packed ^ decoded, (0, 1))  # a byte more, for the last edge
    ones = _ones(differ)
    before = ones.cumsum(1, dtype=torch.int32) - ones  # in the bytes to the left of each
    at, masks = edges // 8, (1 << edges % 8) - 1
    cut = _ones(differ[:, at] & masks.to(torch.uint8))  # in the lower part of the byte at an edge
    return (before[:, at] + cut).to(torch.int64).diff(dim=1)


def _add(score: Tensor, row: Tensor, weight: Tensor) -> Tensor:
    """score + w Y, without a product that a compiler could fuse with the sum."""
    return score + torch.where(unpack(row, len(score)).bool(), weight, -weight)


def _votes(packed: Tensor) -> list[Tensor]:
    """How many rows say +1, for each of the eight bits of a byte: int32 [W] each."""
    return [(packed >> bit & 1).sum(dim=0, dtype=torch.int32) for bit in range(8)]


def _pack(ones: Tensor) -> Tensor:
    """bool [..., N] -> uint8 [..., ceil(N/8)]."""
    whole = torch.nn.functional.pad(ones, (0, -ones.shape[-1] % 8))
    return _bytes(whole.unflatten(-1, (-1, 8)).unbind(-1))


def _bytes(bits: Sequence[Tensor]) -> Tensor:
    """Eight tensors bool [..., W], the lowest bit first -> uint8 [..., W]."""
    made = bits[0].to(torch.uint8)
    for place, bit in enumerate(bits[1:], 1):
        made = made | bit.to(torch.uint8) << place
    return made


def _ones(values: Tensor) -> Tensor:
    """Bits that are 1 in each byte: uint8 -> uint8."""
    pairs = values - (values >> 1 & 0x55)
    fours = (pairs & 0x33) + (pairs >> 2 & 0x33)
    return fours + (fours >> 4) & 0x0F
