"""FLTrust: workers are trusted as far as they point where the server's own gradient points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import combine, cosines, norms
from signfed.strategies.server.strategy import RobustStrategy


def trust_scores(rows: Tensor, reference: Tensor) -> Tensor:
    """Score each row by its direction: TS_i = max(0, cos(g_i, g_0)).

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    reference : Tensor, float32 [N]
        g_0.

    Returns
    -------
    Tensor, float64 [n], in [0, 1]
        0 where a vector is zero.

    Examples
    --------
    >>> rows = torch.tensor([[2.0, 0.0], [3.0, 4.0], [-1.0, 0.0]])
    >>> trust_scores(rows, torch.tensor([1.0, 0.0]))
    tensor([1.0000, 0.6000, 0.0000], dtype=torch.float64)
    """
    return torch.from_numpy(cosines(rows, reference)).clamp(min=0.0)


def trusted_mean(rows: Tensor, reference: Tensor, trust: Tensor) -> Tensor:
    """Average the rows by their trust, each rescaled to the length of the reference.

    g = sum_i TS_i (||g_0|| / ||g_i||) g_i / sum_i TS_i,    0 where nobody is trusted

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    reference : Tensor, float32 [N]
        g_0.
    trust : Tensor, float64 [n]
        TS, at least 0; 0 for a row of zeros.

    Returns
    -------
    Tensor, float32 [N]

    Examples
    --------
    >>> rows = torch.tensor([[2.0, 0.0], [3.0, 4.0], [-1.0, 0.0]])
    >>> reference = torch.tensor([1.0, 0.0])
    >>> trusted_mean(rows, reference, trust_scores(rows, reference))
    tensor([0.8500, 0.3000])
    """
    if not trust.any():
        return torch.zeros_like(reference)
    scale = norms(reference[None]) / norms(rows)
    weights = torch.where(trust > 0, trust * scale.cpu() / trust.sum(), 0.0)
    return combine(rows, weights)


class FLTrust(RobustStrategy):
    """Average the workers' gradients by trust that the server's own samples give.

    The server computes the gradient g_0 on samples of its own (`server-samples`). A row counts by
    `trust_scores`, its cosine with g_0 or 0, and is rescaled to the length of g_0 (`trusted_mean`).
    A row that points against g_0 has no say, and none has more than one of the length of g_0.

    Precondition: server-samples of at least 1. None on f: all workers may be Byzantine, and the
    answer is then still at an angle of at most 90 degrees to g_0, and not longer than it.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("fltrust", [[2.0, 0.0], [3.0, 4.0], [-900.0, 0.0]], reference=[1.0, 0.0])
    array([0.85, 0.3 ], dtype=float32)

    Notes
    -----
    State: none.

    Deviation: workers send the gradient of a batch, not the difference of local models; g_0 is over
    all of the server's samples, not a batch of them. Where nobody is trusted, which the paper does
    not treat, the answer is 0 and the model stays.

    References
    ----------
    Cao et al. 2021, "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping", NDSS,
    equations 2-4, Algorithm 2.
    """

    encoder = "float32"
    judges = True
    needs_reference = True

    def __init__(self) -> None:
        self._trust: dict[int, float] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean by trust, float32 [N]."""
        rows, reference = updates.dense(), updates.needed_reference()
        trust = trust_scores(rows, reference)
        self._trust = dict(zip(updates.ids.tolist(), trust.tolist(), strict=True))
        return trusted_mean(rows, reference, trust)

    def diagnostics(self) -> dict[str, Any]:
        """Return `trust`: worker id -> TS; `accepted`: ids with a score above 0."""
        return {"trust": self._trust, "accepted": [w for w, score in self._trust.items() if score]}
