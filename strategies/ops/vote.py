"""Votes on packed signs: the kernels for where the rows lie, on a CPU or on an accelerator.

packed: uint8 [n, ceil(N/8)] in the layout of SignCodec; what was voted is packed likewise, [W].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates, pack_signs, signs_of
from signfed.strategies.ops import kernels
from signfed.strategies.ops.kernels import compiled, grouped


def majority_vote(updates: Updates) -> Tensor:
    """v = sign(sum_m Y_m) with sign(0) = +1: float32 +1/-1 [N].

    >>> majority_vote(Updates.from_matrix(torch.tensor([[1.0, -2], [1, -1], [-9, 3]])))
    tensor([ 1., -1.])
    """
    return signs_of(packed_majority(updates.signs()), updates.n_coordinates)


def packed_majority(packed: Tensor) -> Tensor:
    """The same of packed rows, and packed: uint8 [W]."""
    if _on_cpu(packed):
        return torch.from_numpy(kernels.majority_vote(packed.numpy()))
    return compiled.majority_vote(packed)


def ties(updates: Updates) -> Tensor:
    """Where exactly half of the rows say +1: bool [N]; n even."""
    packed, n = updates.signs(), updates.n_coordinates
    if _on_cpu(packed):
        tied = torch.from_numpy(kernels.tied(packed.numpy()))
    else:
        tied = compiled.tied(packed)
    return signs_of(tied, n) > 0


def weighted_vote(
    packed: Tensor, weights: Tensor, n_coordinates: int, edges: Sequence[int] | None = None
) -> Tensor:
    """sign(sum_m w_m Y_m) with sign(0) = +1, packed: uint8 [W].

    weights: float32 [n], or [n, blocks] with the blocks' edges, from 0 to N.
    """
    if not _on_cpu(packed):
        weights = weights.to(packed.device).reshape(len(packed), -1)
        edges = _edges((0, n_coordinates) if edges is None else edges, packed)
        return grouped.weighted_vote(packed, weights, edges, n_coordinates)
    voted = kernels.weighted_vote(packed.numpy(), weights.numpy(), n_coordinates, edges)
    return torch.from_numpy(voted)


def dense_weighted_vote(packed: Tensor, weights: Sequence[Tensor], n_coordinates: int) -> Tensor:
    """The same with a weight per row and coordinate: a float32 [N] per row."""
    score = torch.zeros(n_coordinates, device=packed.device)
    for row, weight in zip(packed, weights, strict=True):
        score += signs_of(row, n_coordinates) * weight.to(score.device)
    return pack_signs(score)


def vote_and_count(
    packed: Tensor, counts: Sequence[Tensor], tables: Sequence[Tensor], n_coordinates: int
) -> Tensor:
    """The same with w_mn = tables[m][counts[m][n]]; then counts[m][n] += Y_mn != U_n, IN PLACE.

    counts: 16 bits as int16 [N] per row. tables: float32 per row, longer than its largest count.
    """
    if not _on_cpu(packed):
        # One matrix: tables of a length each would be compiled for every pattern of lengths.
        one = torch.nn.utils.rnn.pad_sequence(tables, batch_first=True).to(packed.device)
        return grouped.vote_and_count(packed, counts, one, n_coordinates)
    voted = kernels.vote_and_count(
        packed.numpy(), _unsigned(counts), [table.numpy() for table in tables], n_coordinates
    )
    return torch.from_numpy(voted)


def count_disagreements(
    packed: Tensor, decoded: Tensor, counts: Sequence[Tensor], n_coordinates: int
) -> None:
    """counts[m][n] += Y_mn != U_n, IN PLACE; counts: 16 bits as int16 [N] per row."""
    if _on_cpu(packed):
        unsigned = _unsigned(counts)
        kernels.count_disagreements(packed.numpy(), decoded.numpy(), unsigned, n_coordinates)
    else:
        grouped.count_disagreements(packed, decoded, counts)


def block_disagreements(packed: Tensor, decoded: Tensor, edges: Sequence[int]) -> np.ndarray:
    """Bits of each row that differ from U, by block: int64 [n, blocks]."""
    if _on_cpu(packed):
        return kernels.block_disagreements(packed.numpy(), decoded.numpy(), edges)
    found = compiled.block_disagreements(packed, decoded, _edges(edges, packed))
    return found.cpu().numpy()


def differing_bits(a: Tensor, b: Tensor) -> int:
    """In how many bits two packed vectors differ."""
    if _on_cpu(a):
        return int(kernels.disagreements(a.numpy()[None], b.numpy())[0])
    return int(block_disagreements(a[None], b, (0, 8 * len(b)))[0, 0])


def _on_cpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def _edges(edges: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor(edges, dtype=torch.int64, device=like.device)


def _unsigned(counts: Sequence[Tensor]) -> list[np.ndarray]:
    return [count.numpy().view(np.uint16) for count in counts]
