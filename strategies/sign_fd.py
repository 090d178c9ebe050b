"""signSGD with federated defense (signSGD-FD): a vote weighted by estimated reliability.

Symbols: Y_m the signs of worker m, U the decoded signs, p_m its cross-over probability
P[Y_m != U], w_m = ln((1 - p_m) / p_m) its log-likelihood ratio (LLR), T_in the length of the
pooled phase.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.reliability import Record, accepted, block_edges, block_llrs
from signfed.strategies.core.updates import Updates, signs_of
from signfed.strategies.ops.vote import (
    block_disagreements,
    count_disagreements,
    dense_weighted_vote,
    vote_and_count,
    weighted_vote,
)
from signfed.strategies.server.strategy import RobustStrategy

Estimator = Literal["blocks", "pooled", "alg1", "eq17"]
MAX_ROUNDS = 2**16 - 1  # a disagreement count is 16 bits wide


class SignFD(RobustStrategy):
    """Weighted majority vote; the weights are learned from how often each worker was outvoted.

    Round 1 is a majority vote. Then w_m comes from the disagreements so far, pooled over
        estimator="pooled": all coordinates,
        estimator="blocks" (ours, the default): all coordinates, but for contiguous blocks in which
            the worker is clearly on the other side of 1/2 than elsewhere: there it has no say,
        estimator="alg1": all coordinates in rounds 2..T_in+1, none afterwards: every coordinate
            has its own weight, from its counts since round 1 (the paper's Algorithm 1),
        estimator="eq17": likewise, from its counts since T_in, to which the pooled estimate is
            added as T_in pseudo-rounds (the paper's eq. 17).
    Pooling pays: a coordinate's own count is noisy, and where the vote is close the noise decides.
    Blocks see what one pool loses, a worker that lies in some layers only.
    A worker that was never counted votes with weight 0, unless nobody was counted yet, and is
    counted from then on; a missing worker's record does not move.

    initial_rounds: T_in >= 1, of alg1 and eq17. blocks: how many, at least 1.
    forget: in (0, 1]; the weight of a round that is k rounds old is forget^k.
    eps, max_llr: keep the LLR finite.
    State per worker: a few numbers; for alg1 and eq17 2 bytes per coordinate, 4 with forgetting.
    At most 65,535 rounds with 2 bytes.
    n_byzantine: L, for the precondition alone.
    Precondition: fewer Byzantine workers than honest ones (L < M/2; a run that expects more is
    refused before it starts), and as accurate as them at most: when most of the first votes are
    wrong, the vote locks on to the mirrored signs.
    Reference: Park & Lee 2024, Algorithm 1, eq. 14-17; forget: the authors' code.
    Deviation from the paper: the default estimate; clips the LLR (the paper is silent; the
    authors' code uses the same constants); a tie is +1; a missing worker is counted over its own
    rounds, not over t.
    """

    encoder = "sign"
    remembers_workers = True

    def __init__(
        self,
        estimator: Annotated[
            Estimator, Field(description="where disagreements with the vote are pooled")
        ] = "blocks",
        initial_rounds: Annotated[
            int,
            Field(ge=1, description="T_in of alg1 and eq17: rounds with one weight a worker"),
        ] = 50,
        blocks: Annotated[int, Field(ge=1, description="how many blocks of coordinates")] = 16,
        forget: Annotated[
            float, Field(gt=0, le=1, description="a round that is k rounds old counts forget^k")
        ] = 1.0,
        eps: Annotated[
            float, Field(gt=0, description="keeps the log-likelihood ratio finite")
        ] = 1e-5,
        max_llr: Annotated[float, Field(gt=0, description="largest log-likelihood ratio")] = 10.0,
        n_byzantine: int = 0,
    ) -> None:
        self.initial_rounds = initial_rounds
        self.estimator = estimator
        self.blocks = blocks
        self.forget = forget
        self.eps = eps
        self.max_llr = max_llr
        self.n_byzantine = n_byzantine
        self.records: dict[int, Record] = {}
        self._n_coordinates = 0

    def check(self, num_workers: int, num_rounds: int) -> None:
        super().check(num_workers, num_rounds)
        # Not in `admissible`: a round that some workers miss still has the memory to go by.
        if problem := majority_honest("sign-fd", num_workers, self.n_byzantine):
            raise ValueError(problem)
        if self.estimator in ("alg1", "eq17") and self.forget == 1 and num_rounds > MAX_ROUNDS:
            raise ValueError(
                f"sign-fd counts in 16 bits: expected at most {MAX_ROUNDS} rounds, got "
                f"{num_rounds}; lower num-rounds or set sign-fd.estimator='blocks'"
            )

    def aggregate(self, updates: Updates) -> Tensor:
        n = self._n_coordinates = updates.n_coordinates
        records = [self.records.setdefault(worker, Record()) for worker in updates.ids.tolist()]
        packed, by_coordinate = updates.signs(), self._counts_coordinates(updates.server_round)
        edges = block_edges(n, self.blocks if self.estimator == "blocks" else 1)
        counts = []
        if by_coordinate:
            whole = self.forget == 1
            counts = [r.counts_for(n, packed.device, whole=whole) for r in records]
        if not any(record.rounds for record in records):
            decoded = weighted_vote(packed, torch.ones(len(records)), n)
        elif not self._weighs_coordinates(updates.server_round):
            weights = self._block_weights(records, edges)
            decoded = weighted_vote(packed, weights, n, edges)
        elif self.forget == 1:
            decoded = vote_and_count(packed, counts, list(map(self._table, records)), n)
            by_coordinate = False  # done
        else:
            decoded = dense_weighted_vote(packed, list(map(self._weights, records)), n)
        if by_coordinate and self.forget == 1:
            count_disagreements(packed, decoded, counts, n)
        elif by_coordinate:
            for row, count in zip(packed, counts, strict=True):
                count.mul_(self.forget).add_(signs_of(row ^ decoded, n) > 0)
        wrong = torch.from_numpy(block_disagreements(packed, decoded, edges)).to(torch.float64)
        for record, found in zip(records, wrong, strict=True):
            pooled = updates.server_round <= self.initial_rounds
            record.count(int(found.sum()), pooled=pooled, forget=self.forget)
            if self.estimator == "blocks":
                record.count_blocks(found, self.forget)
        return signs_of(decoded, n)

    def diagnostics(self) -> dict[str, Any]:
        """crossover: worker id -> p_m, over all coordinates and rounds so far; trusted: ids."""
        n = self._n_coordinates
        crossover = {w: r.crossover(n) for w, r in sorted(self.records.items())}
        return {"crossover": crossover, "accepted": accepted(crossover)}

    def state_dict(self) -> dict[str, Tensor]:
        """records: float64 [k, 4], a row per worker (id, then the scalars of Record); counts."""
        scalars = [
            [worker, r.rounds, r.disagreements, r.pooled_disagreements]
            for worker, r in sorted(self.records.items())
        ]
        state = {
            "n_coordinates": torch.tensor(self._n_coordinates),
            "records": torch.tensor(scalars, dtype=torch.float64).reshape(-1, 4),
        }
        for worker, record in self.records.items():
            for name, tensor in (("counts", record.counts), ("blocks", record.blocks)):
                if tensor is not None:
                    state[f"{name}.{worker}"] = tensor.clone()
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._n_coordinates = int(state["n_coordinates"])
        self.records = {}
        for worker, *scalars in state["records"].tolist():
            tensors = [state.get(f"{name}.{int(worker)}") for name in ("counts", "blocks")]
            copies = [None if tensor is None else tensor.clone() for tensor in tensors]
            self.records[int(worker)] = Record(*scalars, *copies)

    def _counts_coordinates(self, server_round: int) -> bool:
        """alg1 counts coordinates from round 1 on, eq17 after T_in."""
        if self.estimator == "eq17":
            return server_round > self.initial_rounds
        return self.estimator == "alg1"

    def _weighs_coordinates(self, server_round: int) -> bool:
        return self.estimator in ("alg1", "eq17") and server_round > self.initial_rounds + 1

    def _block_weights(self, records: list[Record], edges: list[int]) -> Tensor:
        """w_m, float32 [n, blocks]: one block but for estimator="blocks"; 0 for a newcomer."""
        weights = torch.zeros(len(records), len(edges) - 1)
        known = [i for i, record in enumerate(records) if record.rounds]
        met = [records[i] for i in known]
        if self.estimator == "blocks":
            weights[known] = block_llrs(met, edges, self.eps, self.max_llr)
        else:
            for i in known:
                weights[i] = records[i].pooled_llr(edges[-1], self.eps, self.max_llr)
        return weights

    def _table(self, record: Record) -> Tensor:
        """w_mn by whole count."""
        if record.rounds == 0:
            return torch.zeros(1)
        return record.coordinate_table(self._prior(record), self.eps, self.max_llr)

    def _weights(self, record: Record) -> Tensor:
        """w_mn by coordinate, from forgotten counts."""
        if record.rounds == 0:
            return torch.zeros(1)
        return record.coordinate_llr(self._prior(record), self.eps, self.max_llr)

    def _prior(self, record: Record) -> float:
        if self.estimator == "alg1":
            return 0.0
        return record.pooled_disagreements / self._n_coordinates
