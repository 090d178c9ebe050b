"""Sorted by label and cut into runs, but for a share that is dealt out evenly."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.strategies.core.options import checked
from signfed.strategies.core.seeds import generator


@checked
def sorted_runs(
    labels: np.ndarray,
    num_workers: int,
    seed: int,
    *,
    even_share: Annotated[
        float, Field(ge=0, le=1, description="s, the share that is dealt out evenly")
    ] = 0.5,
) -> list[np.ndarray]:
    """Deal out a random share s evenly; sort the rest by label and cut it into 2M runs.

    Each worker gets two runs at random. Shards are disjoint, complete, and differ by at most three
    samples in size.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 1.
    seed : int
    even_share : float
        s in [0, 1]: 1 is IID, 0 leaves each worker two runs.

    Returns
    -------
    list of ndarray
        int64 sample ids, by worker.

    Raises
    ------
    OptionError
        When s is not in [0, 1].

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2, 3], 2)
    >>> [sorted(labels[shard].tolist()) for shard in sorted_runs(labels, 2, 0, even_share=0.0)]
    [[2, 2, 3, 3], [0, 0, 1, 1]]

    References
    ----------
    Xu et al. 2022, section VI-B.

    Notes
    -----
    Deviation: the share is drawn at random as the paper says; their code takes the first samples
    of the file and drops remainders.
    """
    draws = generator(seed, "partition")
    order = draws.permutation(len(labels))
    dealt = round(even_share * len(labels))
    even = np.array_split(order[:dealt], num_workers)
    rest = order[dealt:]
    runs = np.array_split(rest[np.argsort(labels[rest], kind="stable")], 2 * num_workers)
    pairs = draws.permutation(2 * num_workers).reshape(num_workers, 2)
    return [
        np.concatenate([share, runs[a], runs[b]]) for share, (a, b) in zip(even, pairs, strict=True)
    ]
