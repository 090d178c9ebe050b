"""signSGD with federated defense (signSGD-FD): a majority vote weighted by reliability.

    U = sign(sum_m w_m Y_m)

    agreement       w_m = 1, 0 or -1, from how often worker m agrees with each of the others
    the paper's     w_m = ln((1 - p_m) / p_m),    p_m = P[Y_m != U] in the past

Symbols: Y_m the signs of worker m, U the decoded signs, p_m its cross-over probability. The paper's
weights are log-likelihood ratios, see `strategies.core.llr_vote`; those by agreement are ours, see
`strategies.core.agreement`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.agreement import Averages, agreements, standings
from signfed.strategies.core.crossover import BY_COORDINATE
from signfed.strategies.core.llr_vote import LLRVote
from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.reliability import accepted, records_from_tensors, records_to_tensors
from signfed.strategies.core.ternary import silence_useless, silenced_vote, ternary_weights
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy

MAX_ROUNDS = 2**16 - 1  # a disagreement count is 16 bits wide

Estimator = Literal["agreement", "pooled", "alg1", "eq17"]
InitialVote = Literal["weighted", "plain"]


class SignFD(RobustStrategy):
    """Majority vote weighted by how reliable each worker is: U = sign(sum_m w_m Y_m).

    With the default estimator, a worker is judged by how often it agrees with each of the others,
    in this round and on average over the last ten or so, whichever is better for it. It weighs 1;
    or 0, if it is a coin; or -1, if it opposes the others, and is then read inverted. Where no more
    than half weigh 1, the round is a plain vote. There is no vote that a bloc could turn into its
    own reference, and no weight above 1 that it could earn.

    Precondition: fewer Byzantine than honest workers (L < M/2; a run that expects more is refused
    before it starts).

    Parameters
    ----------
    estimator : {"agreement", "pooled", "alg1", "eq17"}
        How workers are weighed. "agreement": see `strategies.core.ternary`. The others are the
        paper's, for reproduction. WARNING: a minority that agrees with itself, honestly at first,
        takes them over (attack `trusted-bloc`). "pooled": p_m from all coordinates (eq. 14).
        "alg1" and "eq17": pooled in rounds 2..T_in+1, then p_m per coordinate.
    initial_rounds : int
        T_in of alg1 and eq17, at least 1.
    initial_vote : {"weighted", "plain"}
        What decodes rounds 2..T_in+1 of alg1 and eq17; "plain" is the worse form of Fig. 4a.
    forget : float
        Of the paper's, in (0, 1]; a round that is k rounds old counts forget^k.
    eps, max_llr : float
        Of the paper's, above 0; keep the LLR finite.
    n_byzantine : int
        L, for the precondition alone.

    Raises
    ------
    ValueError
        By `check`, for L >= M/2; and for alg1 and eq17 without forgetting and more than 65,535
        rounds: a count has 16 bits.

    Notes
    -----
    Bound. Let every two honest workers agree by at least 4/sqrt(N), in this round or on average,
    and fewer than half of the workers be Byzantine, f of them, with any content. Then every honest
    worker weighs 1, every other at most 1, so U differs from the honest workers' own majority only
    where their margin is at most f: nobody has more influence than on a plain vote. (An honest
    worker has at least F honest others, so its standing is at least its smallest agreement with
    them.) Where workers have too little in common, a median standing below 0.1, nobody is judged
    and U is the plain vote.

    State: for "agreement" two numbers per pair of workers. For the others a `Record` per worker id,
    and for alg1 and eq17 also 2 bytes per coordinate, 4 with forgetting; round 1 is a plain vote; a
    worker that was never counted has weight 0 unless this holds for all that are present. What is
    kept of a missing worker does not move.

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
    >>> votes = torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]).repeat(1, 50)
    >>> rule.aggregate(Updates.from_matrix(votes, signs=True))[:4]
    tensor([ 1., -1.,  1., -1.])
    >>> rule.diagnostics()["accepted"], rule.diagnostics()["inverted"]
    ([0, 1], [2])
    """

    encoder = "sign"
    judges = True
    remembers_workers = True
    reads = True

    def __init__(
        self,
        estimator: Annotated[Estimator, Field(description="how workers are weighed")] = "agreement",
        initial_rounds: Annotated[
            int,
            Field(ge=1, description="T_in of alg1 and eq17: rounds with one weight a worker"),
        ] = 50,
        initial_vote: Annotated[
            InitialVote, Field(description="what decodes rounds 2 to T_in + 1 of alg1 and eq17")
        ] = "weighted",
        forget: Annotated[
            float,
            Field(
                gt=0,
                le=1,
                description="a round that is k rounds old counts forget^k (not agreement)",
            ),
        ] = 1.0,
        eps: Annotated[
            float,
            Field(gt=0, description="keeps the log-likelihood ratio finite (not agreement)"),
        ] = 1e-5,
        max_llr: Annotated[
            float, Field(gt=0, description="largest log-likelihood ratio (not agreement)")
        ] = 10.0,
        n_byzantine: int = 0,
    ) -> None:
        self.estimator = estimator
        self.initial_rounds = initial_rounds
        self.initial_vote = initial_vote
        self.forget = forget
        self.eps = eps
        self.max_llr = max_llr
        self.n_byzantine = n_byzantine
        self._averages = Averages()
        self._published: LLRVote | None = None
        if estimator != "agreement":
            self.reads = False
            self.kept_bytes = (2 if forget == 1 else 4) * (estimator in BY_COORDINATE)
            self._published = LLRVote(
                estimator, initial_rounds, forget, eps, max_llr, plain=initial_vote == "plain"
            )
        self._n_coordinates = 0
        self._found: dict[str, Any] = {}

    def check(self, num_workers: int, num_rounds: int) -> None:
        """Raise ValueError for L >= M/2, or more rounds than a count of 16 bits holds."""
        super().check(num_workers, num_rounds)
        # Not in `admissible`: a round that some workers miss may still have an honest majority.
        if problem := majority_honest("sign-fd", num_workers, self.n_byzantine):
            raise ValueError(problem)
        if self.estimator in BY_COORDINATE and self.forget == 1 and num_rounds > MAX_ROUNDS:
            raise ValueError(
                f"sign-fd counts in 16 bits: expected at most {MAX_ROUNDS} rounds, got "
                f"{num_rounds}; lower num-rounds or set sign-fd.estimator='pooled'"
            )

    def aggregate(self, updates: Updates) -> Tensor:
        """Return U, float32 [N]."""
        signs, ids = updates.signs(), updates.ids.tolist()
        if self._published:
            self._n_coordinates = signs.n_coordinates
            return self._published.decode(signs, ids, updates.server_round).dense()
        agreement = agreements(signs, updates.read)
        now, lately = standings(agreement), standings(self._averages.add(ids, agreement))
        weights = ternary_weights(now, lately, signs.n_coordinates)
        if judged := 2 * int((weights > 0).sum()) > len(ids):
            decoded, final = silenced_vote(signs, weights)
        else:
            decoded, final = signs.vote(), silence_useless(signs, weights)
        differs = signs.disagreements(decoded) / signs.n_coordinates
        self._found = found = _findings(ids, weights, torch.maximum(now, lately))
        by_id = partial(zip, ids, strict=True)
        updates.owe(differs, lambda shares: found["crossover"].update(by_id(shares.tolist())))
        read_inverted = found["inverted"]
        updates.owe(final, lambda w: read_inverted.extend(i for i, x in by_id(w.tolist()) if x < 0))
        voted = final if judged else torch.ones(len(ids))
        updates.owe(voted, lambda w: found["weights"].update(by_id(w.tolist())))
        return decoded.dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return what the rule found out, by worker id.

        Returns
        -------
        dict
            `accepted`: ids. `crossover`: the share of signs that were not the decoded ones, in this
            round, or p_m for the paper's estimators. With "agreement" also `agreement`, the
            standings, `weights`, those of this vote, and `inverted`, the ids that were read
            inverted.
        """
        if not self._published:
            return self._found
        records = sorted(self._published.records.items())
        crossover = {worker: r.crossover(self._n_coordinates) for worker, r in records}
        return {"crossover": crossover, "accepted": accepted(crossover)}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averages, or `n_coordinates` and the records as `records_to_tensors` does."""
        if not self._published:
            return self._averages.state_dict()
        n_coordinates = torch.tensor(self._n_coordinates)
        return {"n_coordinates": n_coordinates} | records_to_tensors(self._published.records)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        if not self._published:
            return self._averages.load_state_dict(state)
        self._n_coordinates = int(state["n_coordinates"])
        self._published.records = records_from_tensors(state)

    def forget_workers(self, workers: Collection[int]) -> None:
        """Drop the averages, or the records, of these workers."""
        if not self._published:
            return self._averages.forget(workers)
        for worker in workers:
            self._published.records.pop(worker, None)


def _findings(ids: Sequence[int], weights: Tensor, standing: Tensor) -> dict[str, Any]:
    """Name by worker what the vote by agreement found out; what is found last follows."""
    of = dict(zip(ids, weights.tolist(), strict=True))
    return {
        "agreement": dict(zip(ids, standing.tolist(), strict=True)),
        "crossover": {},
        "accepted": [worker for worker, weight in of.items() if weight > 0],
        "inverted": [],
        "weights": {},
    }
