"""The four estimates of signSGD-FD: how often a worker's sign is not the decoded one.

Symbols: p_m = P[Y_m != U] the cross-over probability of worker m, c_m the number of rounds in which
it was counted, D_m its disagreements with the decoded signs in them, N coordinates, T_in the number
of rounds that are always pooled. A worker that was never counted gets 1/2.

All four take the records of n workers, `counted` (each says what) and `edges`, where the blocks of
coordinates begin and end, from 0 to N.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from signfed.strategies.core.reliability import MARGIN, Record


def pooled(records: Sequence[Record], counted: Tensor, edges: Sequence[int]) -> Tensor:
    """Estimate p_m = D_m / (N c_m) from all coordinates (eq. 14): float64 [n, 1].

    counted: not looked at, since a record holds D_m.

    >>> pooled([Record(rounds=2, disagreements=6), Record()], torch.empty(0), [0, 10])
    tensor([[0.3000],
            [0.5000]], dtype=torch.float64)
    """
    found = [record.crossover(edges[-1]) for record in records]
    return torch.tensor(found, dtype=torch.float64)[:, None]


def blocks(records: Sequence[Record], counted: Tensor, edges: Sequence[int]) -> Tensor:
    """Estimate p_m from all coordinates, with exceptions by block (ours): float64 [n, blocks].

    Where the estimate from the block alone lies on the other side of 1/2 by more than 0.05, the
    worker has no say in the block, p = 1/2: the block's own p would misread honest workers with
    other data. But where half of the workers lie on the other side, the vote is wrong, not they.

    counted: disagreements, float64 [n, blocks].
    """
    p, rounds = pooled(records, counted, edges), _rounds(records, counted)
    lengths = torch.tensor(edges, dtype=torch.float64).diff()
    p_block = counted / (lengths * rounds)
    opposite = ((p_block - 0.5) * (p - 0.5) < 0) & ((p_block - 0.5).abs() > MARGIN)
    few = 2 * opposite.sum(dim=0) < (rounds > 0).sum()
    return torch.where(opposite & few, 0.5, p)


def alg1(records: Sequence[Record], counted: Tensor, edges: Sequence[int]) -> Tensor:
    """Estimate p_mn = D_mn / c_m in every coordinate (Algorithm 1): the shape of `counted`.

    counted: D_mn, or every value that it can have, float [n, ...].
    """
    return _share(records, counted, [0.0] * len(records))


def eq17(records: Sequence[Record], counted: Tensor, edges: Sequence[int]) -> Tensor:
    """Estimate p_mn = (T_in p_pool + D_mn) / c_m, D_mn counted from round T_in + 1 on (eq. 17).

    counted: D_mn, or every value that it can have, float [n, ...].
    """
    return _share(records, counted, [r.pooled_disagreements / edges[-1] for r in records])


def _share(records: Sequence[Record], counted: Tensor, prior: Sequence[float]) -> Tensor:
    """(counted + prior_m) / c_m, at most 1; 1/2 for a worker that was never counted."""
    added = torch.tensor(prior, dtype=counted.dtype, device=counted.device)[:, None]
    rounds = _rounds(records, counted)
    return torch.where(rounds > 0, (counted + added) / rounds, 0.5).clamp(max=1.0)


def _rounds(records: Sequence[Record], like: Tensor) -> Tensor:
    """c_m, [n, 1]."""
    rounds = [record.rounds for record in records]
    return torch.tensor(rounds, dtype=like.dtype, device=like.device)[:, None]


Estimator = Literal["blocks", "pooled", "alg1", "eq17"]
ESTIMATORS: dict[Estimator, Callable[[Sequence[Record], Tensor, Sequence[int]], Tensor]] = {
    "blocks": blocks,
    "pooled": pooled,
    "alg1": alg1,
    "eq17": eq17,
}
BY_COORDINATE = ("alg1", "eq17")  # those that estimate p_mn per coordinate, after T_in rounds
