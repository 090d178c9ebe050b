"""Vote by reputation: workers that disagree with the vote lose their weight."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy


def reputation_weight(agreed: int, seen: int) -> float:
    """Weigh a worker by its agreement with past votes: w = max(0, 2 a - 1), a = agreed / seen.

    A worker that was never counted (seen = 0) weighs 1.

    Parameters
    ----------
    agreed : int
        Coordinates in which it agreed with the vote.
    seen : int
        Coordinates that were counted.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> [reputation_weight(agreed, seen=8) for agreed in (8, 6, 4, 0)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return max(0.0, 2 * agreed / seen - 1) if seen else 1.0


class ReputationMV(RobustStrategy):
    """Majority vote in which workers that were mostly outvoted have no weight.

    U = sign(sum_m w_m Y_m),    w_m = max(0, 2 a_m - 1)

    a_m is the share of coordinates in which worker m agreed with the vote, over the rounds in which
    it was there. When all weights are 0, all are 1. A suspected worker is silenced, never read
    inverted as in sign-fd.

    Precondition: none. Most of the first votes must be right.

    Notes
    -----
    State: per worker id, the coordinates in which it agreed and those seen.

    Deviation: the form of the reputation is ours, since the original was not available to us.

    References
    ----------
    Jin et al. 2020, sto-signSGD with reputation, as cited by Park & Lee 2024.

    Examples
    --------
    >>> rule = ReputationMV()
    >>> votes = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, -1.0, 1.0]])
    >>> rule.aggregate(Updates.from_matrix(votes, signs=True))
    tensor([1., 1., 1.])
    >>> rule.diagnostics()["accepted"]
    [0, 1]
    """

    encoder = "sto-sign"
    judges = True
    remembers_workers = True

    def __init__(self) -> None:
        self._agreed: dict[int, int] = {}
        self._seen: dict[int, int] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        signs, n, ids = updates.signs(), updates.n_coordinates, updates.ids.tolist()
        weights = torch.tensor([self._weight(worker) for worker in ids])
        vote = signs.weighted_vote(weights if weights.any() else torch.ones(len(ids)))
        for worker, disagreed in zip(ids, signs.disagreements(vote).tolist(), strict=True):
            self._agreed[worker] = self._agreed.get(worker, 0) + n - disagreed
            self._seen[worker] = self._seen.get(worker, 0) + n
        return vote.dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `reputation`: worker id -> a_m; `accepted`: ids of weight above 0 from now on."""
        workers = sorted(self._seen)
        reputation = {worker: self._agreed[worker] / self._seen[worker] for worker in workers}
        return {"reputation": reputation, "accepted": [w for w in workers if self._weight(w) > 0]}

    def state_dict(self) -> dict[str, Tensor]:
        """Return `records`: int64 [k, 3], per worker its id, agreements, coordinates seen."""
        records = [[w, self._agreed[w], self._seen[w]] for w in sorted(self._seen)]
        return {"records": torch.tensor(records, dtype=torch.int64).reshape(-1, 3)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        records = state["records"].tolist()
        self._agreed = {worker: agreed for worker, agreed, _ in records}
        self._seen = {worker: seen for worker, _, seen in records}

    def forget_workers(self, workers: Collection[int]) -> None:
        """Drop the reputation of these workers."""
        for worker in workers:
            self._agreed.pop(worker, None)
            self._seen.pop(worker, None)

    def _weight(self, worker: int) -> float:
        return reputation_weight(self._agreed.get(worker, 0), self._seen.get(worker, 0))
