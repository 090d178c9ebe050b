"""Every worker holds everything."""

from __future__ import annotations

import numpy as np


def shared(labels: np.ndarray, num_workers: int, seed: int) -> list[np.ndarray]:
    """Give each worker the whole training set, of which it draws its own batches.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 1.
    seed : int
        Not used.

    Returns
    -------
    list of ndarray
        M times the same int64 [n].

    Examples
    --------
    >>> shared(np.array([7, 8]), 2, seed=0)
    [array([0, 1]), array([0, 1])]

    References
    ----------
    The code of Park & Lee 2024.

    Notes
    -----
    Deviation: their paper says equal shares instead.
    """
    return [np.arange(len(labels))] * num_workers
