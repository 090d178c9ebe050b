"""Every worker holds everything."""

from __future__ import annotations

import numpy as np


def shared(labels: np.ndarray, num_workers: int, seed: int) -> list[np.ndarray]:
    """The whole training set for each worker, who draws its own batches of it.

    labels: int [n]. Returns num_workers times the same int64 [n].
    Reference: the code of Park & Lee 2024; their paper says equal shares instead.
    """
    return [np.arange(len(labels))] * num_workers
