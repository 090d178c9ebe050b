"""signSGD with federated defense (signSGD-FD): a majority vote weighted by reliability.

    U = sign(sum_m w_m Y_m),    w_m = ln((1 - p_m) / p_m),    p_m = P[Y_m != U]

Symbols: Y_m the signs of worker m, U the decoded signs, w_m the log-likelihood ratio (LLR) of the
worker, p_m its cross-over probability, which `strategies.core.crossover` estimates in four ways.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.crossover import BY_COORDINATE, ESTIMATORS, Estimator, pooled
from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.reliability import (
    Record,
    accepted,
    block_edges,
    records_from_tensors,
    records_to_tensors,
)
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.strategy import RobustStrategy

MAX_ROUNDS = 2**16 - 1  # a disagreement count is 16 bits wide


def log_likelihood_ratio(p: Tensor, eps: float = 1e-5, max_llr: float = 10.0) -> Tensor:
    """Weigh a worker by its cross-over probability: w = ln((1 - p) / p), kept finite.

    w = clip(ln((1 - p + eps) / (p + eps)), -max_llr, max_llr). A worker that is wrong more often
    than right has p > 1/2 and w < 0: its signs are read inverted. p = 1/2 gives 0, no say.

    Parameters
    ----------
    p : Tensor of float, any shape, in [0, 1]
    eps, max_llr : float
        Above 0.

    References
    ----------
    Park & Lee 2024, eq. 16; eps and the clip as in the authors' code.

    Examples
    --------
    >>> log_likelihood_ratio(torch.tensor([0.0, 0.1, 0.5, 0.9]))
    tensor([10.0000,  2.1971,  0.0000, -2.1971])
    """
    return torch.log((1 - p + eps) / (p + eps)).clamp(-max_llr, max_llr)


class SignFD(RobustStrategy):
    """Majority vote weighted by how reliable each worker has been: U = sign(sum_m w_m Y_m).

    Round 1 is a plain majority vote. After each round the server counts how often each worker
    disagreed with U; from these counts come p_m and w_m = ln((1 - p_m) / p_m).

    Precondition: fewer Byzantine than honest workers (L < M/2; a run that expects more is refused
    before it starts), and no more accurate than they. Where most of the first votes are wrong, the
    vote locks on to the mirrored signs.

    Parameters
    ----------
    estimator : {"blocks", "pooled", "alg1", "eq17"}
        How p_m is estimated: see `strategies.core.crossover`. "pooled": one number per worker.
        "blocks": the same, but no say in blocks of coordinates where the worker is clearly on the
        other side of 1/2. "alg1" and "eq17": pooled in rounds 2..T_in+1, then per coordinate.
    initial_rounds : int
        T_in of alg1 and eq17, at least 1.
    blocks : int
        How many blocks, at least 1.
    forget : float
        In (0, 1]; a round that is k rounds old counts forget^k.
    eps, max_llr : float
        Above 0; keep the LLR finite.
    n_byzantine : int
        L, for the precondition alone.

    Raises
    ------
    ValueError
        By `check`, for L >= M/2; and for alg1 and eq17 without forgetting and more than 65,535
        rounds: a count has 16 bits.

    Notes
    -----
    State: a `Record` per worker id, a few numbers; for alg1 and eq17 also 2 bytes per coordinate, 4
    with forgetting. A worker that was never counted has weight 0 unless this holds for all that are
    present; then the round is a plain majority vote. The record of a missing worker does not move.

    Deviation: the default estimator is ours. The LLR is clipped (the paper is silent; the authors'
    code uses the same constants). A tie is +1. A worker is counted over its own rounds, not over
    all.

    References
    ----------
    Park & Lee 2024, "SignSGD with Federated Defense", Algorithm 1, eq. 14-17; forget: the authors'
    code.

    Examples
    --------
    >>> rule = SignFD()
    >>> votes = torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> rule.aggregate(Updates.from_matrix(votes, signs=True))
    tensor([ 1., -1.])
    >>> rule.diagnostics()
    {'crossover': {0: 0.0, 1: 0.0, 2: 1.0}, 'accepted': [0, 1]}
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
        """Raise ValueError for more rounds than a count of 16 bits holds."""
        super().check(num_workers, num_rounds)
        # Not in `admissible`: a round that some workers miss still has the memory to go by.
        if problem := majority_honest("sign-fd", num_workers, self.n_byzantine):
            raise ValueError(problem)
        if self.estimator in BY_COORDINATE and self.forget == 1 and num_rounds > MAX_ROUNDS:
            raise ValueError(
                f"sign-fd counts in 16 bits: expected at most {MAX_ROUNDS} rounds, got "
                f"{num_rounds}; lower num-rounds or set sign-fd.estimator='blocks'"
            )

    def aggregate(self, updates: Updates) -> Tensor:
        signs, t = updates.signs(), updates.server_round
        self._n_coordinates = updates.n_coordinates
        records = [self.records.setdefault(worker, Record()) for worker in updates.ids.tolist()]
        edges = block_edges(self._n_coordinates, self.blocks if self.estimator == "blocks" else 1)
        counts: list[Tensor] = []
        # Algorithm 1 counts coordinates from round 1 on, eq. 17 after the pooled rounds.
        if self.estimator == "alg1" or (self.estimator == "eq17" and t > self.initial_rounds):
            counts = [record.counts_or_zeros(signs, whole=self.forget == 1) for record in records]

        if not any(record.rounds for record in records):
            decoded = signs.vote()
        elif self.estimator in BY_COORDINATE and t > self.initial_rounds + 1:
            decoded, counts = self._decode_by_coordinate(signs, records, counts)
        else:
            estimate = pooled if self.estimator in BY_COORDINATE else ESTIMATORS[self.estimator]
            by_block = torch.stack([record.blocks_or_zeros(len(edges) - 1) for record in records])
            weights = self._weights(estimate(records, by_block, edges))
            decoded = signs.weighted_vote(weights, edges)

        if counts:
            signs.count_disagreements(decoded, counts, self.forget)
        disagreed = signs.disagreements(decoded, edges).cpu().to(torch.float64)
        for record, found in zip(records, disagreed, strict=True):
            record.count(found, self.forget, pooled=t <= self.initial_rounds)
        return decoded.dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `crossover`: worker id -> p_m over all coordinates; `accepted`: worker ids."""
        n = self._n_coordinates
        crossover = {worker: r.crossover(n) for worker, r in sorted(self.records.items())}
        return {"crossover": crossover, "accepted": accepted(crossover)}

    def state_dict(self) -> dict[str, Tensor]:
        """Return `n_coordinates` and the records as `records_to_tensors` makes them."""
        n_coordinates = torch.tensor(self._n_coordinates)
        return {"n_coordinates": n_coordinates} | records_to_tensors(self.records)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self._n_coordinates = int(state["n_coordinates"])
        self.records = records_from_tensors(state)

    def _decode_by_coordinate(
        self, signs: PackedSigns, records: list[Record], counts: list[Tensor]
    ) -> tuple[PackedSigns, list[Tensor]]:
        """Decode with a weight per worker and coordinate; return U and the counts still to move."""
        estimate, edges = ESTIMATORS[self.estimator], (0, signs.n_coordinates)
        if self.forget < 1:
            p = (estimate([r], c[None], edges)[0] for r, c in zip(records, counts, strict=True))
            return signs.weighted_vote_by_coordinate(map(self._weights, p)), counts
        # A whole count has few values: each one's weight is computed once, and then looked up.
        values = torch.arange(max(int(record.rounds) for record in records) + 1)
        p_of_values = estimate(records, values.to(torch.float64)[None], edges)
        return signs.vote_and_count(counts, self._weights(p_of_values)), []

    def _weights(self, p: Tensor) -> Tensor:
        return log_likelihood_ratio(p, self.eps, self.max_llr).to(torch.float32)
