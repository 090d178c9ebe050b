"""The sign kernels in eager PyTorch, for tensors on any device; same arguments, same bits.

Slower than the NumPy kernels on a CPU: a fallback where the rows live on an accelerator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pack(values: Tensor) -> Tensor:
    """`bits.pack`: float [..., N] -> uint8 [..., ceil(N/8)]."""
    ones = torch.nn.functional.pad((values >= 0).to(torch.uint8), (0, -values.shape[-1] % 8))
    digits = (1 << torch.arange(8, device=values.device)).to(torch.uint8)
    return (ones.unflatten(-1, (-1, 8)) * digits).sum(-1, dtype=torch.uint8)


def unpack(packed: Tensor, n_coordinates: int) -> Tensor:
    """`bits.unpack`: uint8 [..., ceil(N/8)] -> uint8 0/1 [..., N]."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(-1) >> shifts) & 1).flatten(-2)[..., :n_coordinates]


def majority_vote(packed: Tensor, n_coordinates: int) -> Tensor:
    """`majority.majority_vote`, without its padding: uint8 [n, ceil(N/8)] -> uint8 [ceil(N/8)]."""
    votes = torch.zeros(n_coordinates, dtype=torch.int32, device=packed.device)
    for row in packed:
        votes += unpack(row, n_coordinates)
    return pack(2 * votes - len(packed))


def weighted_vote(
    packed: Tensor, weights: Tensor, n_coordinates: int, edges: Sequence[int] | None = None
) -> Tensor:
    """`weighted.weighted_vote`."""
    lengths = torch.tensor([0, n_coordinates] if edges is None else list(edges)).diff()
    block = torch.arange(len(lengths)).repeat_interleave(lengths).to(packed.device)
    score = torch.zeros(n_coordinates, device=packed.device)
    for row, weight in zip(packed, weights.reshape(len(packed), -1), strict=True):
        weight = weight[block]
        score += torch.where(unpack(row, n_coordinates).bool(), weight, -weight)
    return pack(score)


def vote_and_count(
    packed: Tensor, counts: Sequence[Tensor], tables: Sequence[Tensor], n_coordinates: int
) -> Tensor:
    """`coordinates.vote_and_count`; counts: the same 16 bits as int16 [N], CHANGED IN PLACE."""
    score = torch.zeros(n_coordinates, device=packed.device)
    for row, count, table in zip(packed, counts, tables, strict=True):
        weight = table.index_select(0, count.to(torch.int32) & 0xFFFF)
        score += torch.where(unpack(row, n_coordinates).bool(), weight, -weight)
    decoded = pack(score)
    count_disagreements(packed, decoded, counts, n_coordinates)
    return decoded


def count_disagreements(
    packed: Tensor, decoded: Tensor, counts: Sequence[Tensor], n_coordinates: int
) -> None:
    """`coordinates.count_disagreements`; counts: int16 [N] per row, CHANGED IN PLACE."""
    for row, count in zip(packed, counts, strict=True):
        count += unpack(row ^ decoded, n_coordinates)


def block_disagreements(packed: Tensor, decoded: Tensor, edges: Sequence[int]) -> Tensor:
    """`popcount.block_disagreements`: int64 [n, blocks]."""
    lengths = torch.tensor(list(edges)).diff().tolist()
    counts = []
    for row in packed:
        differ = unpack(row ^ decoded, 8 * len(decoded))[edges[0] : edges[-1]]
        counts.append(torch.stack([part.sum() for part in differ.split(lengths)]))
    return torch.stack(counts)
