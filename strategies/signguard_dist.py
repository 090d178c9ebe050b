"""SignGuard-Dist: the distance to the last aggregate is one more feature."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from signfed.strategies.ops.clustering import to_correct
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import norms
from signfed.strategies.signguard_sim import SignGuardSim


def distances(rows: Tensor, reference: Tensor | None) -> np.ndarray:
    """Compute the distance ||x_i - r|| to the reference, or of all pairs of rows without one.

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    reference : Tensor, float32 [N], or None
        r.

    Returns
    -------
    ndarray, float64 [n], or [n, n] without a reference

    Examples
    --------
    >>> import torch
    >>> distances(torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.zeros(2))
    array([5., 2.])
    """
    if reference is None:
        return squared_distances(rows).sqrt().cpu().numpy()
    return norms(rows - reference.to(rows)).cpu().numpy()


def authors_distance(values: np.ndarray) -> np.ndarray:
    """Turn distances into the feature of the SignGuard authors' code.

    0.2 where d >= 1.1 med, else 0, with med the median of the distances

    Parameters
    ----------
    values : ndarray, float64 [n] or [n, n]
        Distances. Of all pairs the n // 2 smallest of each row are summed first, its own 0
        included.

    Returns
    -------
    ndarray, float64 [n]
    """
    if values.ndim == 2:
        values = np.sort(values, axis=1)[:, : len(values) // 2].sum(axis=1)
    return np.where(values >= 1.1 * np.median(values), 0.2, 0.0)


class SignGuardDist(SignGuardSim):
    """Run `SignGuard` with the distance to the last aggregate as a fourth feature.

    In round 1 there is no last aggregate: the feature is the median distance to the other rows.

    Parameters
    ----------
    seed, components, coordinates, fraction, scaling
        As in `SignGuard`.
    similarity : {"paper", "authors"}
        The distance itself, or `authors_distance` of it.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0, 2.0], [1.1, 1.9], [1.0, 2.1], [0.9, 2.0], [2.0, 1.0], [2.0, 5.0]]
    >>> aggregate("signguard-dist", rows, fraction=1.0).round(3)
    array([0.99, 1.98], dtype=float32)

    Notes
    -----
    Precondition: none on f. State: the last aggregate. Deviation: none; the paper allows both
    forms of round 1.

    References
    ----------
    Xu et al. 2022, section IV-B.
    """

    def similarities(self, rows: Tensor) -> list[np.ndarray]:
        """Return the distance feature."""
        form = {"paper": to_correct, "authors": authors_distance}[self.similarity]
        return [form(distances(rows, self._last))]
