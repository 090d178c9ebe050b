"""Vote by reputation: workers that disagree with the vote lose their say."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates, signs_of
from signfed.strategies.ops.vote import block_disagreements, weighted_vote
from signfed.strategies.server.strategy import RobustStrategy


class ReputationMV(RobustStrategy):
    """Majority vote in which workers that were mostly outvoted have no say.

    U = sign(sum_m w_m Y_m), w_m = max(0, 2 a_m - 1): float32 +1/-1 [N].
    a_m is the share of coordinates, over the rounds in which worker m was there, in which it agreed
    with the vote; a worker that was never counted weighs 1. When all weights are 0 all weigh 1.
    A suspect is silenced, never read backwards as in sign-fd.
    State per worker: agreements and coordinates so far.
    Precondition: none; most of the first votes must be right.
    Reference: Jin et al. 2020 (sto-signSGD with reputation), as Park & Lee 2024 cite it.
    Deviation from the paper: the form of the reputation is ours; the original could not be had.
    """

    encoder = "sto-sign"
    remembers_workers = True

    def __init__(self) -> None:
        self._agreed: dict[int, int] = {}
        self._seen: dict[int, int] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        ids = updates.ids.tolist()
        weights = [self._weight(worker) for worker in ids]
        if not any(weights):
            weights = [1.0] * len(ids)
        packed, n = updates.signs(), updates.n_coordinates
        vote = weighted_vote(packed, torch.tensor(weights), n)
        wrong = block_disagreements(packed, vote, (0, n))[:, 0].tolist()
        for worker, disagreed in zip(ids, wrong, strict=True):
            self._agreed[worker] = self._agreed.get(worker, 0) + n - disagreed
            self._seen[worker] = self._seen.get(worker, 0) + n
        return signs_of(vote, n)

    def diagnostics(self) -> dict[str, Any]:
        """reputation: worker id -> a_m; trusted: ids of weight above 0 from now on."""
        workers = sorted(self._seen)
        reputation = {worker: self._agreed[worker] / self._seen[worker] for worker in workers}
        return {"reputation": reputation, "accepted": [w for w in workers if self._weight(w) > 0]}

    def state_dict(self) -> dict[str, Tensor]:
        """records: int64 [k, 3], a row per worker: id, agreements, coordinates seen."""
        records = [[w, self._agreed[w], self._seen[w]] for w in sorted(self._seen)]
        return {"records": torch.tensor(records, dtype=torch.int64).reshape(-1, 3)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        records = state["records"].tolist()
        self._agreed = {worker: agreed for worker, agreed, _ in records}
        self._seen = {worker: seen for worker, _, seen in records}

    def _weight(self, worker: int) -> float:
        if worker not in self._seen:
            return 1.0
        return max(0.0, 2 * self._agreed[worker] / self._seen[worker] - 1)
