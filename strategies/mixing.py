"""Pre-aggregation: mix the rows, then hand them to any rule."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.server.strategy import RobustStrategy


def bucket_means(rows: Tensor, order: Tensor, size: int) -> Tensor:
    """Means of consecutive groups of the reordered rows: float [n, N] -> [ceil(n/size), N]."""
    groups = rows[order].split(size)
    return torch.stack([(group / len(group)).sum(dim=0) for group in groups])  # no overflow


def nearest_neighbour_means(rows: Tensor, f: int) -> Tensor:
    """Row i becomes the mean of the n - f rows nearest to it, itself included: float [n, N].

    Equal distances: the earlier row first.
    """
    kept = len(rows) - f
    nearest = squared_distances(rows).argsort(dim=1, stable=True)[:, :kept]
    weights = torch.zeros(len(rows), len(rows), device=rows.device).scatter(1, nearest, 1.0 / kept)
    each, place = weights.unique(dim=0, return_inverse=True)  # the same rows: the same bits
    return (each.to(rows) @ rows)[place]


class Mixed(RobustStrategy):
    """A rule behind a pre-aggregation: everything but `mix` is the inner rule's business.

    On the sign channel the mixed rows are means of +1 and -1, of which a vote takes the signs.
    """

    def __init__(self, inner: RobustStrategy) -> None:
        self.inner = inner
        self.encoder = inner.encoder
        self.remembers_workers = inner.remembers_workers

    def check(self, num_workers: int, num_rounds: int) -> None:
        super().check(num_workers, num_rounds)
        self.inner.check(self.n_mixed(num_workers), num_rounds)

    def admissible(self, n: int) -> str | None:
        return self.inner.admissible(self.n_mixed(n))

    def n_mixed(self, n: int) -> int:
        """How many rows n updates become."""
        return n

    def mix(self, updates: Updates) -> Updates:
        """The rows that the inner rule gets."""
        raise NotImplementedError

    def aggregate(self, updates: Updates) -> Tensor:
        return self.inner.aggregate(self.mix(updates))

    def instructions(self, num_workers: int) -> dict[str, Any]:
        return self.inner.instructions(num_workers)

    def diagnostics(self) -> dict[str, Any]:
        return self.inner.diagnostics()

    def state_dict(self) -> dict[str, Tensor]:
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.inner.load_state_dict(state)


class NearestNeighbourMixing(Mixed):
    """Nearest-neighbour mixing (NNM) before a rule: each row becomes the mean of the n-f nearest.

    n_byzantine: f. Precondition: n > 2f, and the inner rule's.
    Reference: Allouah et al. 2023, Algorithm 2.
    Deviation from the paper: none.
    """

    def __init__(self, inner: RobustStrategy, n_byzantine: int = 0) -> None:
        super().__init__(inner)
        self.n_byzantine = n_byzantine

    def admissible(self, n: int) -> str | None:
        return majority_honest("nnm", n, self.n_byzantine) or super().admissible(n)

    def mix(self, updates: Updates) -> Updates:
        mixed = nearest_neighbour_means(updates.dense(), self.n_byzantine)
        return Updates.from_matrix(mixed, updates.ids, server_round=updates.server_round)


class Bucketing(Mixed):
    """Means of random buckets before a rule: ceil(n/s) rows, at worst f of them bad.

    size: s >= 1. seed: of the buckets, drawn anew each round.
    Precondition: the inner rule's on ceil(n/s) rows; it must not remember workers.
    Reference: Karimireddy et al. 2022, Algorithm 1 (bucketing).
    Deviation from the paper: none.
    """

    def __init__(
        self,
        inner: RobustStrategy,
        size: Annotated[int, Field(ge=1, description="s, rows in a bucket")] = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(inner)
        if inner.remembers_workers:
            raise ValueError(
                f"{type(inner).__name__} keeps a record of each worker, which random buckets "
                "mix up; expected another rule, or nnm in place of bucketing"
            )
        self.size = size
        self.seed = seed
        self._buckets: list[list[int]] = []

    def n_mixed(self, n: int) -> int:
        return -(-n // self.size)

    def mix(self, updates: Updates) -> Updates:
        draws = generator(self.seed, "bucketing", updates.server_round)
        order = torch.from_numpy(draws.permutation(updates.n))
        self._buckets = [ids.tolist() for ids in updates.ids[order].split(self.size)]
        mixed = bucket_means(updates.dense(), order.to(updates.rows.device), self.size)
        return Updates.from_matrix(mixed, server_round=updates.server_round)

    def diagnostics(self) -> dict[str, Any]:
        """trusted: the workers of the trusted buckets; weights: a bucket's, shared by its workers;
        all else is the inner rule's, by bucket.
        """
        found = self.inner.diagnostics()
        if "accepted" in found:
            members = sorted(w for bucket in found["accepted"] for w in self._buckets[bucket])
            found = found | {"accepted": members, "buckets": self._buckets}
        if "weights" in found:
            shares = [found["weights"].get(b, 0.0) for b in range(len(self._buckets))]
            by_worker = {
                worker: share / len(bucket)
                for share, bucket in zip(shares, self._buckets, strict=True)
                for worker in bucket
            }
            found = found | {"weights": dict(sorted(by_worker.items())), "buckets": self._buckets}
        return found
