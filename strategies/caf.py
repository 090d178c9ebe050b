"""Covariance bound-agnostic filter (CAF): outliers lose weight along the widest direction."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import central_gram, combine
from signfed.strategies.server.strategy import RobustStrategy


def least_variance_weights(product: Tensor, f: int) -> Tensor:
    """Filter the rows step by step, and return the weights of the step in which they vary least.

    c = 1 for all rows. While sum c > n - 2f: with mu = sum c_i x_i / sum c, and v the direction of
    the largest variance lambda of the rows so weighted, tau_i = <x_i - mu, v>^2, and then
    c_i <- c_i (1 - tau_i / max_j tau_j) over the rows that have a weight left

    The weights are those of the step with the smallest lambda. It takes n^2 inner products only:
    lambda is the largest eigenvalue of sqrt(c_i c_j) <x_i - mu, x_j - mu> / sum c, and with its
    unit eigenvector u, tau_i = lambda (sum c) u_i^2 / c_i.

    Parameters
    ----------
    product : Tensor, float64 [n, n]
        Inner products of the rows around any centre.
    f : int, from 0 to (n-1)/2

    Returns
    -------
    Tensor, float64 [n]
        c / sum c.

    Examples
    --------
    >>> line = torch.tensor([0.0, 1.0, 2.0, 50.0], dtype=torch.float64)
    >>> least_variance_weights(line[:, None] * line, 1).round(decimals=3).tolist()
    [0.326, 0.334, 0.34, 0.0]
    """
    n = len(product)
    counts = torch.ones(n, dtype=torch.float64, device=product.device)
    least, best = float("inf"), counts / n
    for _ in range(n):  # each step takes a row's whole weight
        weights = counts / counts.sum()
        along = product @ weights
        around = product - along[:, None] - along + weights @ along  # <x_i - mu, x_j - mu>
        roots = weights.sqrt()
        values, vectors = torch.linalg.eigh(roots[:, None] * around * roots)
        variance = float(values[-1])
        if variance < least:
            least, best = variance, weights
        if variance <= 0:  # all rows that count are alike
            break
        spread = torch.where(counts > 0, vectors[:, -1].square() / counts, 0.0)
        counts = counts * (1.0 - spread / spread.max())
        if counts.sum() <= n - 2 * f:
            break
    return best


class CAF(RobustStrategy):
    """Average the rows with the weights of a spectral filter that needs no bound on the variance.

    See `least_variance_weights` for the equations.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("caf", [[0.0], [1.0], [2.0], [50.0]], n_byzantine=1).round(3)
    array([1.014], dtype=float32)

    Notes
    -----
    Precondition: n > 2f.

    Deviation: ByzFL's max_j is over all rows, and a row at a distance d whose weight is gone makes
    it take some d^2 steps; here it is over the rows that have a weight left, as in other filters,
    and there are n steps at most. Its code takes one step of the power method from a random vector
    in place of the eigenvector. With f = 0 no weight is taken. The paper could not be read.

    References
    ----------
    Allouah et al. 2025 (Towards trustworthy federated learning with untrusted participants).
    """

    encoder = "float32"

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._weights: dict[int, float] = {}

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return majority_honest("caf", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the weighted mean, float32 [N]."""
        rows = updates.dense()
        weights = least_variance_weights(central_gram(rows), self.n_byzantine)
        self._weights = dict(zip(updates.ids.tolist(), weights.tolist(), strict=True))
        return combine(rows, weights)

    def diagnostics(self) -> dict[str, Any]:
        """Return `weights`, worker id -> share in the mean."""
        return {"weights": self._weights}
