"""A few classes for each worker."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.strategies.core.options import checked
from signfed.strategies.core.seeds import generator


@checked
def labels_per_worker(
    labels: np.ndarray,
    num_workers: int,
    seed: int,
    *,
    held: Annotated[int, Field(ge=1, description="classes that each worker holds")] = 2,
) -> list[np.ndarray]:
    """Give each worker samples of exactly `held` classes, an even share of each.

    One worker after the other takes the classes that the fewest hold so far, at random among
    equals: of C classes each is held by floor or ceil of M held / C workers. Shards are disjoint
    and complete.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 1.
    seed : int
    held : int
        Classes that each worker holds, 1 to C.

    Returns
    -------
    list of ndarray
        int64 sample ids, by worker.

    Raises
    ------
    ValueError
        When a class would have no holder, or fewer samples than holders.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2, 3], 2)
    >>> shards = labels_per_worker(labels, 2, 0, held=2)
    >>> [sorted(set(labels[shard].tolist())) for shard in shards]
    [[0, 2], [1, 3]]

    References
    ----------
    The label-skew split of McMahan et al. 2017, section 3.

    Notes
    -----
    Deviation: k classes in place of 2, as num_label_per_worker in Park & Lee's code.
    """
    classes = np.unique(labels)
    if held > len(classes):
        raise ValueError(f"held: expected 1 to {len(classes)}, the number of classes; got {held}")
    if num_workers * held < len(classes):
        raise ValueError(
            f"held: {num_workers} workers with {held} each cannot hold "
            f"{len(classes)} classes; expected at least {-(-len(classes) // num_workers)}"
        )
    draws = generator(seed, "partition")
    order = draws.permutation(len(labels))
    held_by = np.zeros((num_workers, len(classes)), bool)
    for worker in range(num_workers):
        fewest_first = np.lexsort((draws.random(len(classes)), held_by.sum(axis=0)))
        held_by[worker, fewest_first[:held]] = True
    shards: list[list[np.ndarray]] = [[] for _ in range(num_workers)]
    for i, label in enumerate(classes):
        samples = order[labels[order] == label]
        workers = np.flatnonzero(held_by[:, i])
        if len(samples) < len(workers):
            raise ValueError(
                f"held: class {label} has {len(samples)} samples for {len(workers)} workers; "
                "expected fewer workers or fewer classes each"
            )
        parts = np.array_split(samples, len(workers))
        for worker, part in zip(workers.tolist(), parts, strict=True):
            shards[worker].append(part)
    return [np.concatenate(parts) for parts in shards]
