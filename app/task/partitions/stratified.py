"""Equal shards with equal class shares."""

from __future__ import annotations

import numpy as np

from signfed.strategies.core.seeds import generator


def stratified(labels: np.ndarray, num_workers: int, seed: int) -> np.ndarray:
    """Deal out disjoint, equal shards with equal class shares.

    Samples are shuffled within their class and dealt out in turn, so the number of samples of a
    class differs by at most one between workers; the rest of n mod M samples is not used.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 1.
    seed : int

    Returns
    -------
    ndarray
        int64 [M, n // M], sample ids.

    Examples
    --------
    >>> labels = np.array([0, 0, 1, 1])
    >>> sorted(labels[stratified(labels, 2, seed=0)[0]].tolist())
    [0, 1]

    References
    ----------
    Park & Lee 2024, appendix A.

    Notes
    -----
    Deviation: none.
    """
    order = generator(seed, "partition").permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    per_worker = len(labels) // num_workers
    return by_class[: per_worker * num_workers].reshape(per_worker, num_workers).T.copy()
