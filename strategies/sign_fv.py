"""Federated voting with the server's own samples: votes weighted by agreement with the server."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.strategy import RobustStrategy

EPS = 1e-5  # an agreement of 0 or 1 is kept this far away from it: |w| is at most 11.5


def agreements(signs: PackedSigns, reference: PackedSigns) -> Tensor:
    """Compute the share of coordinates in which each row has the reference's sign.

    a_m = (1/N) #{n: Y_mn = S_n}

    Parameters
    ----------
    signs : PackedSigns, n rows
        Y.
    reference : PackedSigns, one vector
        S.

    Returns
    -------
    Tensor, float64 [n], in [0, 1]

    Examples
    --------
    >>> signs = PackedSigns.pack(torch.tensor([[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, -1.0]]))
    >>> agreements(signs, PackedSigns.pack(torch.tensor([1.0, -1.0, 1.0, -1.0]))).tolist()
    [0.75, 0.25]
    """
    return 1 - signs.disagreements(reference).to(torch.float64) / signs.n_coordinates


def vote_weights(agreement: Tensor) -> Tensor:
    """Weigh a voter by how often its signs are right: w = ln(a / (1 - a)), kept finite.

    Parameters
    ----------
    agreement : Tensor, float64 [n], in [0, 1]
        a; for a worker, its agreement with the server.

    Returns
    -------
    Tensor, float64 [n]
        0 for a = 1/2; below 0 for a < 1/2, so that such a voter is read inverted.

    Examples
    --------
    >>> vote_weights(torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64))
    tensor([ 2.1972,  0.0000, -2.1972], dtype=torch.float64)
    """
    return torch.logit(agreement, eps=EPS)


def server_accuracy(agreement: Tensor, differing: Tensor, n_coordinates: int) -> Tensor:
    """Estimate how often the server's own signs are right, from pairs of workers.

    a_0 = (1 + q_0) / 2,    q_0^2 = sum_{i<j} |z_i z_j| / sum_{i<j} |C_ij|

    with z_i = 2 a_i - 1 and C_ij the mean product of two workers' signs. If errors are independent,
    z_i = q_i q_0 and C_ij = q_i q_j with q = 1 - 2 P[wrong], so every pair says the same.

    Parameters
    ----------
    agreement : Tensor, float64 [n]
        a.
    differing : Tensor, int64 [n, n]
        Coordinates in which two workers' signs differ.
    n_coordinates : int

    Returns
    -------
    Tensor, float64 [1], in [1/2, 1]
        1/2 where no pair says anything: of one worker, or of none that agrees with another.

    Examples
    --------
    Two workers, each right in 3 of 4 signs, differ in 3 of 8. Whoever agrees with both in 3 of 4 is
    always right:

    >>> agreement = torch.tensor([0.75, 0.75], dtype=torch.float64)
    >>> server_accuracy(agreement, torch.tensor([[0, 3], [3, 0]]), 8)
    tensor([1.], dtype=torch.float64)
    """
    z, alike = 2 * agreement - 1, 1 - 2 * differing.to(torch.float64) / n_coordinates
    # Sums over all i and j, without the diagonal, are twice those over i < j.
    explained = z.abs().sum() ** 2 - (z**2).sum()
    total = alike.abs().sum() - len(z)
    q = (explained / total).clamp(0, 1).sqrt() if total > 0 else torch.zeros_like(total)
    return ((1 + q) / 2)[None]


class SignFV(RobustStrategy):
    """Majority vote weighted by how often each worker agrees with the server's own gradient.

    v = sign(w_0 S + sum_m w_m Y_m),    w = ln(a / (1 - a)),    a_m = share of Y_m = S

    S are the signs of the server's own gradient on its own samples (`server-samples`), at the model
    of the round; it votes too, by its `server_accuracy` a_0. The workers have no influence on what
    they are measured against, so no number of them can turn it; and a weight counts for one round,
    so nobody can save trust and spend it later. In sign-fd the vote itself is the measure, over all
    rounds.

    Precondition: server-samples of at least 1. None on f.

    Notes
    -----
    State: none. Weights that remember earlier rounds were tried and were nowhere better.

    The server's own errors shrink all 2 a_m - 1 by one factor, 1 - 2 P[S wrong]. Where signs are
    noisy w is nearly linear in them, so that all workers' weights shrink alike. What workers can do
    to a_0 is harmless: copies of one another make it smaller, down to no vote of the server's, and
    a larger one trusts the server more.

    Deviation: the paper learns how often a worker errs over the rounds, without data of the
    server's; measuring each round against the server's own gradient, and its vote, are ours. Of the
    paper the abstract and a review could be read; the weight ln((1 - p) / p) is its and Park &
    Lee's.

    References
    ----------
    Park, Poor & Lee 2024, "SignSGD with Federated Voting", arXiv 2403.16372; Cao et al. 2021
    (FLTrust) for the server's own samples.

    Examples
    --------
    Two of three rows are the opposite of the truth, and are read so:

    >>> from signfed import aggregate
    >>> rows = [[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, -1.0], [-1.0, 1.0, -1.0, -1.0]]
    >>> aggregate("sign-fv", rows, reference=[0.3, -0.1, 0.2, -0.1])
    array([ 1., -1.,  1.,  1.], dtype=float32)
    """

    encoder = "sign"
    judges = True
    needs_reference = True

    def __init__(self) -> None:
        self._agreement: dict[int, float] = {}
        self._own = 0.5

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the weighted vote, float32 [N]."""
        signs, reference = updates.signs(), PackedSigns.pack(updates.needed_reference())
        n, found = updates.n_coordinates, agreements(signs, reference).cpu()
        own = server_accuracy(found, signs.pairwise_disagreements().cpu(), n)
        self._agreement = dict(zip(updates.ids.tolist(), found.tolist(), strict=True))
        self._own = float(own)
        voters = PackedSigns(torch.cat([signs.bits, reference.bits[None]]), n)
        weights = vote_weights(torch.cat([found, own])).to(torch.float32)
        return voters.weighted_vote(weights).dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `agreement`: worker id -> a_m; `server_accuracy`: a_0; `accepted`: a_m > 1/2."""
        accepted = [worker for worker, a in self._agreement.items() if a > 0.5]
        return {
            "agreement": self._agreement, "server_accuracy": self._own, "accepted": accepted,
        }  # fmt: skip
