"""Federated voting with the server's own samples: votes weighted by agreement with the server."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.strategy import RobustStrategy

EPS = 1e-5  # an agreement of 0 or 1 is kept this far away from it: |w| is at most 11.5


def vote_weights(agreement: Tensor) -> Tensor:
    """Weigh a worker by its agreement with the server: w = ln(a / (1 - a)), kept finite.

    Parameters
    ----------
    agreement : Tensor, float64 [n], in [0, 1]
        a, the share of coordinates in which the worker's sign is the server's.

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
    round, which counts already. The workers have no influence on what they are measured against, so
    no number of them can turn it, whether they collude or change their minds; in sign-fd the vote
    itself is the measure.

    Precondition: server-samples of at least 1. None on f.

    Parameters
    ----------
    forget : float
        In [0, 1]. A round that is k rounds old counts forget^k in a_m; with 0 only the present
        round counts, and no trust from earlier ones can be spent.

    Notes
    -----
    State: with forget above 0, per worker id its agreements and the coordinates seen.

    The server's gradient has an error of its own: with P[sign(g_0) wrong] = p_0 and independent
    errors, 2 a_m - 1 = (1 - 2 p_m)(1 - 2 p_0). Since w is nearly linear in 2 a - 1 where signs are
    noisy, this scales all weights alike, which no vote sees.

    Deviation: the paper learns p_m in rounds before, from batch sizes or from the decoded signs;
    measuring against the server's own gradient, in the present round, is ours. Of the paper the
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
    remembers_workers = True
    needs_reference = True

    def __init__(
        self,
        forget: Annotated[
            float, Field(ge=0, le=1, description="weight of the last round; 0: this round alone")
        ] = 0.0,
    ) -> None:
        self.forget = forget
        self._records: dict[int, tuple[float, float]] = {}  # id -> agreements, coordinates seen
        self._agreement: dict[int, float] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the weighted vote, float32 [N]."""
        signs, n, ids = updates.signs(), updates.n_coordinates, updates.ids.tolist()
        assert updates.reference is not None  # promised to a rule that needs it
        wrong = signs.disagreements(PackedSigns.pack(updates.reference)).tolist()
        if not self.forget:
            self._records = {}
        for worker, count in zip(ids, wrong, strict=True):
            agreed, seen = self._records.get(worker, (0.0, 0.0))
            self._records[worker] = (self.forget * agreed + n - count, self.forget * seen + n)
        self._agreement = {worker: agreed / s for worker, (agreed, s) in self._records.items()}
        found = torch.tensor([self._agreement[worker] for worker in ids], dtype=torch.float64)
        return signs.weighted_vote(vote_weights(found).to(torch.float32)).dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `agreement`: worker id -> a_m; `accepted`: ids with a_m above 1/2."""
        agreement = dict(sorted(self._agreement.items()))
        return {"agreement": agreement, "accepted": [w for w, a in agreement.items() if a > 0.5]}

    def state_dict(self) -> dict[str, Tensor]:
        """Return `records`: float64 [k, 3], per worker its id, agreements, coordinates seen."""
        if not self.forget:
            return {}
        numbers = [[w, *record] for w, record in sorted(self._records.items())]
        return {"records": torch.tensor(numbers, dtype=torch.float64).reshape(-1, 3)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        rows = state["records"].tolist() if "records" in state else []
        self._records = {int(worker): (agreed, seen) for worker, agreed, seen in rows}
