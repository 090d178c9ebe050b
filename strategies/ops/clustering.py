"""The cluster that most of a few points fall into, and what the points of SignGuard share."""

from __future__ import annotations

import numpy as np

from signfed.strategies.ops.mean_shift import estimate_bandwidth, mean_shift

ROUNDING = 1e-10  # relative: features that differ by less are equal


def to_correct(values: np.ndarray) -> np.ndarray:
    """Reduce similarities to one per row: with the correct gradient, or with the other rows.

    Parameters
    ----------
    values : ndarray, float64 [n] or [n, n]
        Similarity of each row with the gradient that counts as correct; or of all pairs, when there
        is none yet. n >= 2 in the latter case.

    Returns
    -------
    ndarray, float64 [n]
        The first as it is; of the second, the median over the other rows.
    """
    if values.ndim == 1:
        return values
    n = len(values)
    return np.median(values[~np.eye(n, dtype=bool)].reshape(n, n - 1), axis=1)


def largest_cluster(features: np.ndarray) -> np.ndarray:
    """Find the members of the largest mean-shift cluster.

    The bandwidth is the mean distance to the n/2-th neighbour. When it is 0 up to rounding, rows
    that are equal up to rounding form a cluster. Orphans belong to no cluster; when all rows are
    orphans, all are members. Of equally large clusters that with the row nearest to the median
    feature wins, then that with the first row.

    Parameters
    ----------
    features : ndarray, float64 [n, k]

    Returns
    -------
    ndarray, bool [n]
        At least one is True.

    Examples
    --------
    >>> largest_cluster(np.array([[0.5], [0.51], [0.52], [0.9]]))
    array([ True,  True,  True, False])

    Notes
    -----
    Deviation: all n rows make the bandwidth, where the SignGuard authors draw 50.

    References
    ----------
    Xu et al. 2022, Algorithm 2, lines 10-11; the settings are those of the authors' code.
    """
    bandwidth, rounding = estimate_bandwidth(features), ROUNDING * np.abs(features).max()
    spread = bandwidth > rounding
    labels = mean_shift(features, bandwidth) if spread else _equal(features, rounding)
    if (labels < 0).all():
        return np.ones(len(features), bool)
    sizes = np.bincount(labels[labels >= 0])
    in_largest = (labels >= 0) & (sizes[labels] == sizes.max())
    # Of so few rows NumPy's own median takes longer than the sort.
    ascending, n = np.sort(features, axis=0), len(features)
    median = (ascending[(n - 1) // 2] + ascending[n // 2]) / 2
    offset = np.linalg.norm(features - median, axis=1)
    candidates = np.where(in_largest, offset, np.inf)
    # With an even number of rows two may be the median row, equally near up to rounding.
    nearest = candidates <= candidates.min() * (1 + ROUNDING)
    return labels == labels[nearest.argmax()]


def _equal(features: np.ndarray, rounding: float) -> np.ndarray:
    """One label for rows within `rounding` of the first of them: int64 [n]."""
    labels = np.full(len(features), -1)
    for i, row in enumerate(features):
        alike = (np.abs(features - row).max(axis=1) <= rounding) & (labels < 0)
        if labels[i] < 0:
            labels[alike] = i
    return labels
