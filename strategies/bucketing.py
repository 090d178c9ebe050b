"""Bucketing: a rule gets the means of random groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.pre_aggregation import PreAggregation
from signfed.strategies.core.rule import Rule
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy


def bucket_means(rows: Tensor, order: Tensor, size: int) -> Tensor:
    """Average consecutive groups of the reordered rows.

    y_b = (1/s) sum of x_order(j) over j = b s, ..., b s + s - 1; the last group may be smaller

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    order : Tensor, int64 [n]
        A permutation of 0..n-1.
    size : int, at least 1
        s.

    Returns
    -------
    Tensor, float32 [ceil(n/s), N]

    Examples
    --------
    >>> bucket_means(torch.tensor([[0.0], [2.0], [90.0]]), torch.tensor([2, 1, 0]), 2)
    tensor([[46.],
            [ 0.]])
    """
    groups = rows[order].split(size)
    # Divided before they are summed, so that no sum overflows.
    return torch.stack([(group / len(group)).sum(dim=0) for group in groups])


def of_workers(found: dict[str, Any], buckets: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Turn what a rule says of buckets into what it says of workers.

    Parameters
    ----------
    found : dict
        Findings of a rule whose rows were buckets.
    buckets : sequence of sequences of int
        The worker ids in each bucket.

    Returns
    -------
    dict
        `accepted`: the workers of the accepted buckets. `weights`: that of a bucket, shared equally
        by its workers. `buckets`: the workers of each, where there is one of these. All else as
        found, by bucket.

    Examples
    --------
    >>> of_workers({"accepted": [1]}, [[7, 4], [9, 2]])
    {'accepted': [2, 9], 'buckets': [[7, 4], [9, 2]]}
    """
    by_worker: dict[str, Any] = {}
    if "accepted" in found:
        by_worker["accepted"] = sorted(worker for b in found["accepted"] for worker in buckets[b])
    if "weights" in found:
        shares = {
            worker: found["weights"].get(b, 0.0) / len(bucket)
            for b, bucket in enumerate(buckets)
            for worker in bucket
        }
        by_worker["weights"] = dict(sorted(shares.items()))
    return found | by_worker | ({"buckets": buckets} if by_worker else {})


class Bucketing(PreAggregation, RobustStrategy):
    """Average random buckets of s rows, before any rule.

    See `bucket_means` for the equation. Of the ceil(n/s) means at most f hold a Byzantine row.

    Parameters
    ----------
    inner : Rule
        The rule that gets the means; not one to which it matters whose a row is.
    size : int
        s, at least 1.
    seed : int
        Of the buckets, which are drawn anew in each round.

    Raises
    ------
    ValueError
        When it matters to the inner rule whose a row is (`remembers_workers`).

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0], [2.0], [3.0], [4.0], [5.0], [900.0]]
    >>> aggregate("median", rows, pre_aggregation="bucketing", pre_aggregation_options={"size": 2})
    array([4.], dtype=float32)

    Notes
    -----
    Precondition: that of the inner rule on ceil(n/s) rows. Deviation: none.

    References
    ----------
    Karimireddy et al. 2022, Algorithm 1.
    """

    def __init__(
        self,
        inner: Rule,
        /,  # by position, as it is no option
        size: Annotated[int, Field(ge=1, description="s, rows in a bucket")] = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(inner)
        if inner.remembers_workers:
            raise ValueError(
                f"{type(inner).__name__} goes by which worker a row is of, which random buckets "
                "mix up; expected another rule, or nnm in place of bucketing"
            )
        self.size = size
        self.seed = seed
        self._buckets: list[list[int]] = []

    def n_mixed(self, n: int) -> int:
        """Return ceil(n/s)."""
        return -(-n // self.size)

    def mix(self, updates: Updates) -> Updates:
        """Return the means of the round's buckets; their ids are 0, 1, ..."""
        draws = generator(self.seed, "bucketing", updates.server_round)
        order = torch.from_numpy(draws.permutation(updates.n))
        self._buckets = [ids.tolist() for ids in updates.ids[order].split(self.size)]
        mixed = bucket_means(updates.dense(), order.to(updates.rows.device), self.size)
        return Updates.from_matrix(mixed, server_round=updates.server_round)

    def diagnostics(self) -> dict[str, Any]:
        """Return what the inner rule found out, in terms of workers: see `of_workers`."""
        return of_workers(self.inner.diagnostics(), self._buckets)
