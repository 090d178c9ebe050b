"""signSGD with federated defense (signSGD-FD): a vote weighted by estimated reliability.

Symbols: Y_m the signs of worker m, U the decoded signs, p_m its cross-over probability
P[Y_m != U], w_m = ln((1 - p_m) / p_m) its log-likelihood ratio (LLR), T_in the length of the
pooled phase, c_m the number of rounds in which worker m was counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from strategies.base import RobustStrategy
from strategies.updates import Updates

CROSSOVERS = ("alg1", "eq17", "pooled")
MAX_ROUNDS = 2**16 - 1  # a disagreement count is 16 bits wide
SPREADS, MARGIN = 6.0, 0.05  # of `trusted`: standard deviations, and at least this much


def log_likelihood_ratio(p: Tensor, eps: float = 1e-5, max_llr: float = 10.0) -> Tensor:
    """ln((1 - p + eps) / (p + eps)) clipped to [-max_llr, max_llr], for p in [0, 1] (eq. 16).

    Negative for p > 1/2: a worker that lies more often than not is read inverted.
    """
    return torch.log((1 - p + eps) / (p + eps)).clamp(-max_llr, max_llr)


def weighted_vote(updates: Updates, weights: list[Tensor]) -> Tensor:
    """U = sign(sum_m w_m Y_m) with sign(0) = +1 (eq. 15): float32 +1/-1 [N].

    weights: one float32 tensor per row, a scalar or [N].
    """
    score = torch.zeros(updates.n_coordinates, device=updates.rows.device)
    for row, weight in enumerate(weights):  # row by row: never an [n, N] float matrix
        score += torch.where(updates.bits(row).bool(), weight, -weight)
    return torch.where(score >= 0, 1.0, -1.0)


def trusted(crossover: dict[int, float]) -> list[int]:
    """Workers that are outvoted about as often as the median worker: those that seem honest.

    Not trusted: p_m above 1/2, or above the median by more than 6 robust standard deviations
    (1.4826 times the median absolute deviation) and by more than 0.05. A report; the vote does not
    use it. Means nothing once half of the workers lie.
    Source: ours; the papers weigh workers and name none.
    """
    p = torch.tensor(list(crossover.values()), dtype=torch.float64)
    middle = p.quantile(0.5)
    spread = 1.4826 * (p - middle).abs().quantile(0.5)
    limit = (middle + (SPREADS * spread).clamp(min=MARGIN)).clamp(max=0.5)
    return [worker for worker, value in crossover.items() if value <= limit]


@dataclass
class Record:
    """What the server remembers of one worker.

    rounds: c_m, rounds counted so far.
    disagreements: over all those rounds and all coordinates; pooled_disagreements: over those of
        the pooled phase.
    counts: disagreements per coordinate, 16-bit pattern in an int16 [N]; None while not needed.
    """

    rounds: int = 0
    disagreements: int = 0
    pooled_disagreements: int = 0
    counts: Tensor | None = field(default=None, repr=False)

    def crossover(self, n_coordinates: int) -> float:
        """p_m pooled over all coordinates and counted rounds (eq. 14)."""
        return self.disagreements / (n_coordinates * self.rounds)

    def coordinate_llr(
        self, estimate: str, n_coordinates: int, eps: float, max_llr: float
    ) -> Tensor:
        """w_{m,n} float32 [N] in the per-coordinate phase.

        A count takes at most c_m + 1 values, so the LLR is computed once per value and looked up.
        alg1: p = counts / c_m, with counts from round 1. eq17: p = (T_in p_pool + counts) / c_m,
        with counts after T_in; T_in p_pool is the pooled phase's disagreements per coordinate.
        """
        possible = torch.arange(self.rounds + 1, dtype=torch.float64)
        prior = self.pooled_disagreements / n_coordinates if estimate == "eq17" else 0.0
        p = ((possible + prior) / self.rounds).clamp(max=1.0)
        table = log_likelihood_ratio(p, eps, max_llr).to(torch.float32).to(self.counts.device)
        return table.index_select(0, self.counts.to(torch.int32) & 0xFFFF)


class SignFD(RobustStrategy):
    """Weighted majority vote; the weights are learned from how often each worker was outvoted.

    Round 1 is a majority vote. In rounds 2..T_in+1 a worker has one weight, from its disagreements
    pooled over all coordinates; afterwards one per coordinate. A worker that was never counted
    votes with weight 0, unless nobody was counted yet, and is counted from then on; a missing
    worker's record does not move.

    initial_rounds: T_in >= 1.
    crossover: estimate after T_in. "alg1" (Algorithm 1: per-coordinate counts from round 1),
        "eq17" (the pooled estimate stays as T_in pseudo-rounds) or "pooled" (T_in = infinity; no
        per-coordinate state).
    eps, max_llr: keep the LLR finite.
    State: 2 bytes per worker and coordinate, none for "pooled". At most 65,535 rounds.
    Precondition: fewer liars than honest workers (L < M/2), and as accurate as them at most: when
    most of the first votes are wrong, the vote locks on to the mirrored signs.
    Reference: Park & Lee 2024, Algorithm 1, eq. 14-17.
    Deviation from the paper: clips the LLR (the paper is silent; the authors' code uses the same
    constants); a tie is +1; a missing worker is counted over its own rounds, not over t.
    """

    encoder = "sign"

    def __init__(
        self,
        initial_rounds: int = 50,
        crossover: str = "alg1",
        eps: float = 1e-5,
        max_llr: float = 10.0,
    ) -> None:
        if initial_rounds < 1:
            raise ValueError(f"initial_rounds: expected at least 1 round, got {initial_rounds}")
        if crossover not in CROSSOVERS:
            expected = ", ".join(CROSSOVERS)
            raise ValueError(f"crossover: expected one of {expected}; got {crossover!r}")
        for name, value in (("eps", eps), ("max_llr", max_llr)):
            if not value > 0:
                raise ValueError(f"{name}: expected a number above 0, got {value}")
        self.initial_rounds = initial_rounds
        self.crossover = crossover
        self.eps = eps
        self.max_llr = max_llr
        self.records: dict[int, Record] = {}
        self._n_coordinates = 0

    def check(self, num_workers: int, num_rounds: int) -> None:
        super().check(num_workers, num_rounds)
        if self.crossover != "pooled" and num_rounds > MAX_ROUNDS:
            raise ValueError(
                f"sign-fd counts in 16 bits: expected at most {MAX_ROUNDS} rounds, got "
                f"{num_rounds}; lower num-rounds or set crossover='pooled'"
            )

    def aggregate(self, updates: Updates) -> Tensor:
        self._n_coordinates = updates.n_coordinates
        records = [self.records.setdefault(worker, Record()) for worker in updates.ids.tolist()]
        pooled_phase = self.crossover == "pooled" or updates.round <= self.initial_rounds + 1
        decoded = weighted_vote(updates, self._weights(records, pooled_phase))
        counting_pooled = updates.round <= self.initial_rounds
        for row, record in enumerate(records):
            self._count(record, updates.bits(row) != (decoded > 0), counting_pooled)
        return decoded

    def diagnostics(self) -> dict[str, Any]:
        """crossover: worker id -> p_m, over all coordinates and rounds so far; trusted: ids."""
        n = self._n_coordinates
        crossover = {w: r.crossover(n) for w, r in sorted(self.records.items())}
        return {"crossover": crossover, "trusted": trusted(crossover)}

    def state_dict(self) -> dict[str, Tensor]:
        """One int64 row per worker (id, then the scalars of Record); counts int16 [k, N]."""
        workers = sorted(self.records)
        records = [self.records[w] for w in workers]
        scalars = [
            [w, r.rounds, r.disagreements, r.pooled_disagreements]
            for w, r in zip(workers, records, strict=True)
        ]
        state = {
            "n_coordinates": torch.tensor(self._n_coordinates),
            "records": torch.tensor(scalars, dtype=torch.int64).reshape(-1, 4),
        }
        counts = {
            f"counts.{w}": r.counts.clone() for w, r in self.records.items() if r.counts is not None
        }
        return state | counts

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._n_coordinates = int(state["n_coordinates"])
        self.records = {}
        for worker, *scalars in state["records"].tolist():
            counts = state.get(f"counts.{worker}")
            self.records[worker] = Record(*scalars, None if counts is None else counts.clone())

    def _weights(self, records: list[Record], pooled_phase: bool) -> list[Tensor]:
        if not any(record.rounds for record in records):
            return [torch.tensor(1.0)] * len(records)
        return [self._weight(record, pooled_phase) for record in records]

    def _weight(self, record: Record, pooled_phase: bool) -> Tensor:
        if record.rounds == 0:
            return torch.tensor(0.0)
        n = self._n_coordinates
        if pooled_phase or record.counts is None:
            p = torch.tensor(record.crossover(n), dtype=torch.float64)
            return log_likelihood_ratio(p, self.eps, self.max_llr).to(torch.float32)
        return record.coordinate_llr(self.crossover, n, self.eps, self.max_llr)

    def _count(self, record: Record, disagrees: Tensor, counting_pooled: bool) -> None:
        total = int(disagrees.sum())
        record.rounds += 1
        record.disagreements += total
        if counting_pooled:
            record.pooled_disagreements += total
        if self.crossover == "alg1" or (self.crossover == "eq17" and not counting_pooled):
            if record.counts is None:
                zeros = torch.zeros(len(disagrees), dtype=torch.int16, device=disagrees.device)
                record.counts = zeros
            record.counts += disagrees
