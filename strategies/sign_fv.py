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
    """Weigh a worker by its agreement with the server: w = ln(a / (1 - a)), kept finite.

    Parameters
    ----------
    agreement : Tensor, float64 [n], in [0, 1]
        a.

    Returns
    -------
    Tensor, float64 [n]
        0 for a = 1/2; below 0 for a < 1/2, so that such a worker is read inverted.

    Examples
    --------
    >>> vote_weights(torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64))
    tensor([ 2.1972,  0.0000, -2.1972], dtype=torch.float64)
    """
    return torch.logit(agreement, eps=EPS)


class SignFV(RobustStrategy):
    """Majority vote weighted by how often each worker agrees with the server's own gradient.

    v = sign(sum_m w_m Y_m),    w_m = ln(a_m / (1 - a_m)),    a_m = share of Y_m = sign(g_0)

    g_0 is the server's own gradient on its own samples (`server-samples`), at the model of the
    round. The workers have no influence on what they are measured against, so no number of them can
    turn it; and a weight counts for one round, so nobody can save trust and spend it later. In
    sign-fd the vote itself is the measure, over all rounds.

    Precondition: server-samples of at least 1. None on f.

    Notes
    -----
    State: none. Weights that remember earlier rounds were tried and were nowhere better.

    The server's gradient has errors of its own. If p_0 of its signs are wrong, independently of the
    workers', 2 a_m - 1 = (1 - 2 p_m)(1 - 2 p_0); where signs are noisy w is nearly linear in
    2 a - 1, so that all weights shrink alike, which changes no vote.

    Deviation: the paper learns how often a worker errs over the rounds, without data of the
    server's; measuring each round against the server's own gradient is ours. Of the paper the
    abstract and a review could be read; the weight ln((1 - p) / p) is its and Park & Lee's.

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

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the weighted vote, float32 [N]."""
        signs, reference = updates.signs(), PackedSigns.pack(updates.needed_reference())
        found = agreements(signs, reference).cpu()
        self._agreement = dict(zip(updates.ids.tolist(), found.tolist(), strict=True))
        return signs.weighted_vote(vote_weights(found).to(torch.float32)).dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `agreement`: worker id -> a_m; `accepted`: ids with a_m above 1/2."""
        accepted = [worker for worker, a in self._agreement.items() if a > 0.5]
        return {"agreement": self._agreement, "accepted": accepted}
