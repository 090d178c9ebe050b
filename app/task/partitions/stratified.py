"""Who holds which training samples."""

from __future__ import annotations

import numpy as np

from signfed.strategies.core.seeds import generator


def stratified(labels: np.ndarray, num_workers: int, seed: int) -> np.ndarray:
    """Disjoint, equal shards with equal class shares: int64 [num_workers, n // num_workers].

    labels: int [n]. Samples are shuffled within their class and dealt out in turn, so the number
    of samples of a class differs by at most one between workers; the remainder of
    n mod num_workers samples is not used.
    Reference: Park & Lee 2024, appendix A.
    """
    order = generator(seed, "partition").permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    per_worker = len(labels) // num_workers
    return by_class[: per_worker * num_workers].reshape(per_worker, num_workers).T.copy()
