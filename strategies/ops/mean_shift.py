"""Mean shift with a flat kernel: the clusters of a few points with a few features."""

from __future__ import annotations

import numpy as np

STOP = 1e-3  # a centre that moves by less, in bandwidths, has arrived
MAX_MOVES = 300
EDGE = 1 + 1e-9  # a point just one bandwidth away is within it, however that was rounded


def estimate_bandwidth(points: np.ndarray) -> float:
    """Average the distance of a point to its n/2-th nearest, itself the first.

    Parameters
    ----------
    points : ndarray, float64 [n, k]

    Returns
    -------
    float, at least 0

    Examples
    --------
    >>> estimate_bandwidth(np.array([[0.0], [1.0], [3.0], [7.0]]))
    2.0

    References
    ----------
    scikit-learn's `estimate_bandwidth(quantile=0.5, n_samples=n)`.
    """
    rank = max(1, len(points) // 2) - 1
    nearest = np.partition(_squared(points, points), rank, axis=1)[:, rank]
    return float(np.sqrt(nearest).mean())


def mean_shift(points: np.ndarray, bandwidth: float) -> np.ndarray:
    """Find the cluster of each point by mean shift with a flat kernel.

    From each occupied cell of a grid one bandwidth wide (from each point, where all are alone in
    theirs) a centre moves to the mean of the points within a bandwidth, until it moves by less than
    a thousandth of that, or 300 times. A centre within a bandwidth of one with more points is left
    out; a point belongs to the nearest that remains.

    Parameters
    ----------
    points : ndarray, float64 [n, k]
    bandwidth : float, above 0

    Returns
    -------
    ndarray, int64 [n]
        Number of the cluster; -1 for orphans, which no centre has within a bandwidth.

    Examples
    --------
    >>> mean_shift(np.array([[0.0], [0.1], [0.2], [5.0]]), 1.0)
    array([0, 0, 0, 1])

    Notes
    -----
    Deviation from scikit-learn: rounding only, as distances here are of differences. scikit-learn
    moves one centre after the other, which is slow for tens of points; here all move at once.

    References
    ----------
    Comaniciu & Meer 2002; scikit-learn's `MeanShift(bin_seeding=True, cluster_all=False)`.
    """
    reach = (EDGE * bandwidth) ** 2
    centres, counts = _climbed(_seeds(points, bandwidth), points, bandwidth)
    order = np.lexsort((*centres.T[::-1], counts))[::-1]
    centres = centres[order]
    near = _squared(centres, centres) <= reach
    kept: list[int] = []
    for i in range(len(centres)):
        if not near[i, kept].any():
            kept.append(i)
    squared = _squared(points, centres[kept])
    return np.where(squared.min(axis=1) <= reach, squared.argmin(axis=1), -1)


def _seeds(points: np.ndarray, bandwidth: float) -> np.ndarray:
    cells = np.round(points / bandwidth)
    # As np.unique(cells, axis=0), which takes longer to begin than to sort so few.
    cells = cells[np.lexsort(cells.T[::-1])] + 0.0  # + 0.0: there is no cell -0
    first = np.ones(len(cells), bool)
    first[1:] = (cells[1:] != cells[:-1]).any(axis=1)
    cells = cells[first]
    if len(cells) == len(points):
        return points
    return cells * bandwidth


def _climbed(
    centres: np.ndarray, points: np.ndarray, bandwidth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where these centres arrive, and how many points each has: those that have any."""
    reach, counts = (EDGE * bandwidth) ** 2, np.zeros(len(centres), np.int64)
    centres, moving = centres.copy(), np.arange(len(centres))
    for _ in range(MAX_MOVES + 1):
        within = _squared(centres[moving], points) <= reach
        counts[moving] = within.sum(axis=1)
        moving, within = moving[counts[moving] > 0], within[counts[moving] > 0]
        means = (within[:, :, None] * points).sum(axis=1) / counts[moving, None]
        moved = np.sqrt(((means - centres[moving]) ** 2).sum(axis=1))
        centres[moving] = means
        moving = moving[moved > STOP * bandwidth]
        if not len(moving):
            break
    return centres[counts > 0], counts[counts > 0]


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """||a_i - b_j||^2: float64 [m, k] and [n, k] -> [m, n]; exactly 0 for equal ones."""
    found = np.zeros((len(a), len(b)))
    for x, y in zip(a.T, b.T, strict=True):
        found += (x[:, None] - y) ** 2
    return found
