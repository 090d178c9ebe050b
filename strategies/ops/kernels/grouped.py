"""Votes whose sums depend on the order of the rows, for an accelerator: a group of rows at a time.

A compiled graph names every row. With all of them it would take minutes to compile, again for each
number of workers; with groups there are two for any run, a whole group and the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from signfed.strategies.ops.kernels import compiled

GROUP = 16  # rows; a round of so many is summed, decoded and counted in one pass


def weighted_vote(packed: Tensor, weights: Tensor, edges: Tensor, n_coordinates: int) -> Tensor:
    """`weighted.weighted_vote`; weights: float32 [n, blocks], edges: int64 [blocks + 1]."""
    score = torch.zeros(n_coordinates, device=packed.device)
    for rows in _groups(len(packed)):
        score = compiled.add_votes(score, packed[rows], weights[rows], edges)
    return compiled.pack(score)


def vote_and_count(
    packed: Tensor, counts: Sequence[Tensor], tables: Tensor, n_coordinates: int
) -> Tensor:
    """`coordinates.vote_and_count`; counts: the same 16 bits as int16 [N], CHANGED IN PLACE.

    tables: float32 [n, T], as wide as the longest of them.
    """
    score = torch.zeros(n_coordinates, device=packed.device)
    *earlier, last = _groups(len(packed))
    for rows in earlier:
        score = compiled.add_votes_by_count(score, packed[rows], counts[rows], tables[rows])
    decoded = compiled.vote_and_count(score, packed[last], counts[last], tables[last])
    for rows in earlier:
        compiled.count_disagreements(packed[rows], decoded, counts[rows])
    return decoded


def count_disagreements(packed: Tensor, decoded: Tensor, counts: Sequence[Tensor]) -> None:
    """`coordinates.count_disagreements`; counts: int16 [N] per row, CHANGED IN PLACE."""
    for rows in _groups(len(packed)):
        compiled.count_disagreements(packed[rows], decoded, counts[rows])


def _groups(n: int) -> Iterator[slice]:
    return (slice(start, start + GROUP) for start in range(0, n, GROUP))
