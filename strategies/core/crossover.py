"""The published estimates of signSGD-FD: how often a worker's sign is not the decoded one.

Symbols: p_m = P[Y_m != U] the cross-over probability of worker m, c_m the number of rounds in which
it was counted, D_m its disagreements with the decoded signs in them, N coordinates, T_in the number
of rounds that are always pooled. A worker that was never counted gets 1/2.

All three are functions of the same arguments:

records : sequence of Record
    Of n workers.
counted : Tensor of float
    For "alg1" and "eq17" the disagreements by coordinate, [n, N], or every value that they can
    have, [1, values]; "pooled" does not read it, since a record holds D_m.
n_coordinates : int
    N.

References
----------
Park & Lee 2024, "SignSGD with Federated Defense", Algorithm 1, eq. 14 and 17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from signfed.strategies.core.reliability import Record


def pooled(records: Sequence[Record], counted: Tensor, n_coordinates: int) -> Tensor:
    """Estimate p_m = D_m / (N c_m) from all coordinates (eq. 14).

    Parameters
    ----------
    records, counted, n_coordinates
        See above.

    Returns
    -------
    Tensor, float64 [n, 1]

    Examples
    --------
    >>> pooled([Record(rounds=2, disagreements=6), Record()], torch.empty(0), 10).tolist()
    [[0.3], [0.5]]
    """
    found = [record.crossover(n_coordinates) for record in records]
    return torch.tensor(found, dtype=torch.float64)[:, None]


def alg1(records: Sequence[Record], counted: Tensor, n_coordinates: int) -> Tensor:
    """Estimate p_mn = D_mn / c_m in every coordinate (Algorithm 1).

    Parameters
    ----------
    records, counted, n_coordinates
        See above.

    Returns
    -------
    Tensor [n, ...]
        p by coordinate, or by value of D_mn, in the type of `counted`.

    Examples
    --------
    >>> alg1([Record(rounds=4)], torch.tensor([[0.0, 1.0, 3.0]]), 3).tolist()
    [[0.0, 0.25, 0.75]]
    """
    return _share(records, counted, [0.0] * len(records))


def eq17(records: Sequence[Record], counted: Tensor, n_coordinates: int) -> Tensor:
    """Estimate p_mn = (T_in p_pool + D_mn) / c_m, D_mn counted after round T_in (eq. 17).

    p_pool is the pooled estimate after round T_in; it stays as T_in rounds.

    Parameters
    ----------
    records, counted, n_coordinates
        See above.

    Returns
    -------
    Tensor [n, ...]
        As `alg1`.

    Examples
    --------
    >>> record = Record(rounds=4, pooled_disagreements=3)  # p_pool = 1/2 over two rounds
    >>> eq17([record], torch.tensor([[0.0, 1.0, 2.0]]), 3).tolist()
    [[0.25, 0.5, 0.75]]
    """
    return _share(records, counted, [r.pooled_disagreements / n_coordinates for r in records])


def _share(records: Sequence[Record], counted: Tensor, prior: Sequence[float]) -> Tensor:
    """Return (counted + prior_m) / c_m, at most 1; 1/2 for a worker that was never counted."""
    added = torch.tensor(prior, dtype=counted.dtype, device=counted.device)[:, None]
    rounds = _rounds(records, counted)
    return torch.where(rounds > 0, (counted + added) / rounds, 0.5).clamp(max=1.0)


def _rounds(records: Sequence[Record], like: Tensor) -> Tensor:
    """Return c_m, [n, 1]."""
    rounds = [record.rounds for record in records]
    return torch.tensor(rounds, dtype=like.dtype, device=like.device)[:, None]


Published = Literal["pooled", "alg1", "eq17"]
ESTIMATORS: dict[str, Callable[[Sequence[Record], Tensor, int], Tensor]] = {
    "pooled": pooled,
    "alg1": alg1,
    "eq17": eq17,
}
BY_COORDINATE = ("alg1", "eq17")  # those that estimate p_mn per coordinate, after T_in rounds
