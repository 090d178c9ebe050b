"""Smallest maximum eigenvalue averaging (SMEA): the mean of the n - f rows that vary least."""

from __future__ import annotations

from itertools import combinations, islice
from math import comb
from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import average, central_gram, lowest
from signfed.strategies.server.strategy import RobustStrategy

MOST_WORK = 1 << 30  # C(n, f) (n-f)^3 operations at most: some seconds on one core
VALUES = 1 << 20  # of the matrices that are decomposed at a time


def largest_variances(product: Tensor, subsets: Tensor) -> Tensor:
    """Compute the variance of each subset of rows along the direction in which it varies most.

    lambda_max of (1/k) sum_{i in S} (x_i - mu_S)(x_i - mu_S)^T, which is that of the centred
    inner products of the subset, over k

    Parameters
    ----------
    product : Tensor, float64 [n, n]
        Inner products of the rows around any centre.
    subsets : Tensor, int64 [m, k]
        Indices of the rows of each subset.

    Returns
    -------
    Tensor, float64 [m]

    Examples
    --------
    >>> line = torch.tensor([0.0, 2.0, 6.0], dtype=torch.float64)
    >>> largest_variances(line[:, None] * line, torch.tensor([[0, 1], [1, 2]])).round().tolist()
    [1.0, 4.0]
    """
    part = product[subsets[:, :, None], subsets[:, None, :]]
    along = part.mean(dim=2)
    centred = part - along[:, :, None] - along[:, None, :] + along.mean(dim=1)[:, None, None]
    return torch.linalg.eigvalsh(centred)[:, -1] / subsets.shape[1]


def least_varying(product: Tensor, f: int) -> list[int]:
    """Find the n - f rows with the smallest largest variance, of all C(n, f) subsets.

    argmin over |S| = n - f of `largest_variances`; of equal ones the first in the order of indices

    Parameters
    ----------
    product : Tensor, float64 [n, n]
        Inner products of the rows around any centre.
    f : int, from 0 to (n-1)/2

    Returns
    -------
    list of int
        Indices of n - f rows, ascending.

    Examples
    --------
    >>> line = torch.tensor([0.0, 2.0, 6.0, 7.0], dtype=torch.float64)
    >>> least_varying(line[:, None] * line, 1)
    [1, 2, 3]
    """
    n, kept = len(product), len(product) - f
    product = product.cpu()  # where a decomposition of many small matrices is no slower
    left, variances = combinations(range(n), kept), []
    while some := list(islice(left, max(1, VALUES // kept**2))):
        variances.append(largest_variances(product, torch.tensor(some)))
    first = int(lowest(torch.cat(variances), 1))
    return list(next(islice(combinations(range(n), kept), first, None)))


def work(n: int, f: int) -> int:
    """Count the operations of the search: C(n, f) (n-f)^3, and none for f = 0.

    Parameters
    ----------
    n : int, at least 1
    f : int, from 0 to n

    Returns
    -------
    int

    Examples
    --------
    >>> work(15, 6), work(50, 10) > MOST_WORK
    (3648645, True)
    """
    return comb(n, f) * (n - f) ** 3 if f else 0


class SMEA(RobustStrategy):
    """Average the n - f rows that vary least along the direction in which they vary most.

    (1/(n-f)) sum of g_m over the subset of n - f rows whose covariance has the smallest largest
    eigenvalue; see `least_varying`, which tries all C(n, f).

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("smea", [[1.0], [2.0], [4.0], [900.0]], n_byzantine=1).round(3)
    array([2.333], dtype=float32)

    Notes
    -----
    Precondition: n > 2f and C(n, f) (n-f)^3 <= 2^30: any f up to n = 21, f <= 2 for n = 50.

    Deviation: none from the definition that ByzFL gives; its code takes one step of the power
    method from a random vector in place of the eigenvalue. The paper could not be read.

    References
    ----------
    Allouah et al. 2023 (On the privacy-robustness-utility trilemma in distributed learning).
    """

    encoder = "float32"

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few, or the subsets too many; None when neither is."""
        f = self.n_byzantine
        if problem := majority_honest("smea", n, f):
            return problem
        if work(n, f) > MOST_WORK:
            largest = next(g for g in range(f, -1, -1) if work(n, g) <= MOST_WORK)
            return (
                f"smea tries all C(n, f) subsets of n-f updates: got n={n} updates, f={f}, "
                f"{comb(n, f):.1e} subsets; expected f <= {largest}, fewer updates, or caf"
            )
        return None

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the subset, float32 [N]."""
        rows = updates.dense()
        chosen = least_varying(central_gram(rows), self.n_byzantine)
        self._accepted = updates.ids[chosen].tolist()
        return average(rows, torch.tensor(chosen))

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of the averaged rows."""
        return {"accepted": self._accepted}
