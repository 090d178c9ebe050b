"""FedSECA at one bit: a vote weighted by how many other workers each one agrees with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.strategy import RobustStrategy


def concordances(signs: PackedSigns) -> Tensor:
    """Count for each row the rows that it agrees with, less those that it disagrees with.

    c_k = sum_l sgn(omega_kl),    omega_kl = (1/N) sum_j Y_kj Y_lj

    Two rows agree (omega > 0) where more than half of their signs are equal; a row agrees with
    itself. The concordance ratio is rho_k = max(0, c_k) / n.

    Parameters
    ----------
    signs : PackedSigns, n rows
        Y.

    Returns
    -------
    Tensor, int64 [n], from -n + 2 to n

    Examples
    --------
    >>> rows = [[1.0, 1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]]
    >>> concordances(PackedSigns.pack(torch.tensor(rows))).tolist()
    [1, 1, -1]
    """
    # N omega = N - 2 d where d signs differ.
    return (signs.n_coordinates - 2 * signs.pairwise_disagreements()).sign().sum(dim=1)


class FedSECA(RobustStrategy):
    """Elect each sign by votes that are weighted by concordance.

    s_j = sgn(sum_k rho_k Y_kj),    rho_k = max(0, (1/n) sum_l sgn(omega_kl))

    omega_kl, the mean product of the signs of workers k and l, counts by its sign alone, so that no
    pair counts for more because it is alike (`concordances`). Where all rho are 0, all count as 1.

    Precondition: n > 2f. If honest workers agree with one another in pairs, the weights of the
    honest ones add up to more than those of any f others: a coordinate on which all honest workers
    agree is theirs, whatever the others send.

    Parameters
    ----------
    n_byzantine : int
        f, for the precondition alone.

    Notes
    -----
    State: none. Pairs are compared by counting bits of packed rows.

    Why the honest outweigh the others: let there be h honest rows and b others, of which b' have a
    count above 0. What these and the honest ones add to one another is in both sums and cancels.
    What is left is at least h^2 - h (b - b') for the honest and at most b' b for the others; the
    difference is at least (h - b)(h + b'), above 0. Ours.

    Deviation: the paper goes on to average magnitudes: of clipped, clamped and sparse values those
    whose sign is the elected one (RoCA). One bit per coordinate has none, so the elected signs are
    the answer; this is its first half, CRISE. A bit has no sign 0: a tie is +1. Where all rho are
    0, which the paper answers with no step, this is a plain vote.

    References
    ----------
    Benjamin et al. 2025, "FedSECA: Sign Election and Coordinate-wise Aggregation of Gradients for
    Byzantine Tolerant Federated Learning", arXiv 2411.03861, equations 2-4.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0, 1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]]
    >>> aggregate("fedseca", rows)
    array([1., 1., 1.], dtype=float32)
    """

    encoder = "sign"
    judges = True

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._ratios: dict[int, float] = {}

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few for f; None when they are enough."""
        return majority_honest("fedseca", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the elected signs, float32 [N]."""
        signs = updates.signs()
        counts = concordances(signs).clamp(min=0).cpu()
        ratios = (counts.to(torch.float64) / updates.n).tolist()
        self._ratios = dict(zip(updates.ids.tolist(), ratios, strict=True))
        # Whole numbers: the sum is exact, in whatever order.
        weights = counts if counts.any() else torch.ones_like(counts)
        return signs.weighted_vote(weights.to(torch.float32)).dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `concordance`: worker id -> rho; `accepted`: ids with rho above 0."""
        return {
            "concordance": self._ratios,
            "accepted": [worker for worker, ratio in self._ratios.items() if ratio > 0],
        }
