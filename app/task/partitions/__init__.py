"""Who holds which training samples: pure functions (labels, num_workers, seed) -> shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from signfed.app.task.partitions.dirichlet import dirichlet
from signfed.app.task.partitions.gamma import gamma_similarity
from signfed.app.task.partitions.labels import labels_per_worker
from signfed.app.task.partitions.lone_class import lone_class
from signfed.app.task.partitions.shared import shared
from signfed.app.task.partitions.sorted import sorted_runs
from signfed.app.task.partitions.stratified import stratified

Shards = Sequence[np.ndarray] | np.ndarray  # int64 sample ids, by worker

PARTITIONS: dict[str, Callable[..., Shards]] = {
    "stratified": stratified,
    "shared": shared,
    "sorted": sorted_runs,
    "dirichlet": dirichlet,
    "labels": labels_per_worker,
    "gamma-similarity": gamma_similarity,
    "lone-class": lone_class,
}
# Partition under which one worker alone holds a class -> its option that says which.
LONE = {"lone-class": "label"}


def holdings(shards: Shards, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the samples of each class that each worker holds.

    Parameters
    ----------
    shards : sequence of ndarray
        int64 sample ids, by worker.
    labels : ndarray
        int64 [n].
    num_classes : int

    Returns
    -------
    ndarray
        int64 [num_workers, num_classes].

    Examples
    --------
    >>> holdings([np.array([0, 1]), np.array([2])], np.array([1, 1, 0]), 2)
    array([[0, 2],
           [1, 0]])
    """
    return np.stack([np.bincount(labels[shard], minlength=num_classes) for shard in shards])
