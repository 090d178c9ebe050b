"""The published weighted vote of signSGD-FD, with what it remembers of each worker.

    U = sign(sum_m w_m Y_m),    w_m = ln((1 - p_m) / p_m),    p_m = P[Y_m != U]

Symbols: Y_m the signs of worker m, U the decoded signs, w_m the log-likelihood ratio (LLR) of the
worker, p_m its cross-over probability, which `strategies.core.crossover` estimates in three ways.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from signfed.strategies.core.crossover import BY_COORDINATE, ESTIMATORS, Published, pooled
from signfed.strategies.core.reliability import Record
from signfed.strategies.ops.packed import PackedSigns


def log_likelihood_ratio(p: Tensor, eps: float = 1e-5, max_llr: float = 10.0) -> Tensor:
    """Weigh a worker by its cross-over probability: w = ln((1 - p) / p), kept finite.

    w = clip(ln((1 - p + eps) / (p + eps)), -max_llr, max_llr). A worker that is wrong more often
    than right has p > 1/2 and w < 0: its signs are read inverted. p = 1/2 gives 0, no say.

    Parameters
    ----------
    p : Tensor of float, any shape, in [0, 1]
    eps, max_llr : float
        Above 0.

    Returns
    -------
    Tensor of float, the shape of p

    References
    ----------
    Park & Lee 2024, eq. 16; eps and the clip as in the authors' code.

    Examples
    --------
    >>> log_likelihood_ratio(torch.tensor([0.0, 0.1, 0.5, 0.9]))
    tensor([10.0000,  2.1971,  0.0000, -2.1971])
    """
    return torch.log((1 - p + eps) / (p + eps)).clamp(-max_llr, max_llr)


class LLRVote:
    """Decode by log-likelihood ratios, and count how often the decoded signs went against a worker.

    Round 1 is a plain majority vote.

    Parameters
    ----------
    estimator : {"pooled", "alg1", "eq17"}
    initial_rounds : int
        T_in.
    forget, eps, max_llr : float
        As in `SignFD`.
    plain : bool
        Whether rounds 2..T_in+1 of an estimate by coordinate are plain votes, too.

    Attributes
    ----------
    records : dict of int to Record
        By worker id.
    """

    def __init__(
        self,
        estimator: Published,
        initial_rounds: int,
        forget: float,
        eps: float,
        max_llr: float,
        *,
        plain: bool = False,
    ) -> None:
        self.records: dict[int, Record] = {}
        self._estimator, self._initial_rounds = estimator, initial_rounds
        self._forget, self._eps, self._max_llr = forget, eps, max_llr
        self._plain = plain and estimator in BY_COORDINATE

    def decode(self, signs: PackedSigns, ids: Sequence[int], server_round: int) -> PackedSigns:
        """Return U, and count the round.

        Parameters
        ----------
        signs : PackedSigns, n rows
        ids : sequence of int
            The workers of the rows.
        server_round : int
            1-based.
        """
        t, by_coordinate = server_round, self._estimator in BY_COORDINATE
        records = [self.records.setdefault(worker, Record()) for worker in ids]
        counts: list[Tensor] = []
        # Algorithm 1 counts coordinates from round 1 on, eq. 17 after the pooled rounds.
        if by_coordinate and (self._estimator == "alg1" or t > self._initial_rounds):
            counts = [record.counts_or_zeros(signs, whole=self._forget == 1) for record in records]

        pooled_phase = t <= self._initial_rounds + 1
        if not any(record.rounds for record in records) or (self._plain and pooled_phase):
            decoded = signs.vote()
        elif by_coordinate and not pooled_phase:
            decoded, counts = self._by_coordinate(signs, records, counts)
        else:
            p = pooled(records, torch.empty(0), signs.n_coordinates)
            decoded = signs.weighted_vote(self._weights(p)[:, 0])

        if counts:
            signs.count_disagreements(decoded, counts, self._forget)
        for record, found in zip(records, signs.disagreements(decoded).tolist(), strict=True):
            record.count(found, self._forget, pooled=t <= self._initial_rounds)
        return decoded

    def _by_coordinate(
        self, signs: PackedSigns, records: list[Record], counts: list[Tensor]
    ) -> tuple[PackedSigns, list[Tensor]]:
        """Decode with a weight per worker and coordinate; return U and the counts still to move."""
        estimate, n = ESTIMATORS[self._estimator], signs.n_coordinates
        if self._forget < 1:
            p = (estimate([r], c[None], n)[0] for r, c in zip(records, counts, strict=True))
            return signs.weighted_vote_by_coordinate(map(self._weights, p)), counts
        # A whole count has few values: each one's weight is computed once, and then looked up.
        values = torch.arange(max(int(record.rounds) for record in records) + 1)
        p_of_values = estimate(records, values.to(torch.float64)[None], n)
        return signs.vote_and_count(counts, self._weights(p_of_values)), []

    def _weights(self, p: Tensor) -> Tensor:
        return log_likelihood_ratio(p, self._eps, self._max_llr).to(torch.float32)
