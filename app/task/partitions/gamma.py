"""Gamma similarity: a share dealt out evenly, the rest sorted by label and cut once a worker."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.strategies.core.options import checked
from signfed.strategies.core.seeds import generator


@checked
def gamma_similarity(
    labels: np.ndarray,
    num_workers: int,
    seed: int,
    *,
    gamma: Annotated[
        float, Field(ge=0, le=1, description="share that is dealt out evenly, the similarity")
    ] = 0.5,
    outside: Annotated[
        int,
        Field(ge=0, description="first workers that get no share, but hold a copy of everything"),
    ] = 0,
) -> list[np.ndarray]:
    """Deal out a random share gamma evenly; sort the rest by label, and cut it into one run each.

    Of M workers the first k are outside: the M - k others share the samples. gamma = 1 is IID;
    with gamma = 0 and as many of them as classes of one size, each of them has a class to itself.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 1.
    seed : int
    gamma : float
        In [0, 1].
    outside : int
        k, 0 to M - 1. Byzantine workers have no data in ByzFL's benchmark, so that the honest ones
        hold all that there is; here they are workers 0 to k - 1 (`byzantine-ids='first'`), and
        hold everything, in case that their attack looks at their own gradients.

    Returns
    -------
    list of ndarray
        int64 sample ids, by worker.

    Raises
    ------
    ValueError
        When gamma is not in [0, 1], or nobody is left to share the samples.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], 2)
    >>> [labels[shard].tolist() for shard in gamma_similarity(labels, 3, 0, gamma=0.0)]
    [[0, 0], [1, 1], [2, 2]]

    References
    ----------
    ByzFL 0.0.11, the distribution "gamma_similarity_niid" of its benchmark.

    Notes
    -----
    Deviation: workers outside the split hold a copy of everything, where ByzFL gives them no data.
    The last samples of a class are cut by number alone, as theirs are, so that a run may hold two.
    """
    if outside >= num_workers:
        raise ValueError(
            f"outside: expected at most {num_workers - 1}, so that one of {num_workers} workers "
            f"is left to share the samples; got {outside}"
        )
    order = generator(seed, "partition").permutation(len(labels))
    dealt = int(gamma * len(labels))
    even = np.array_split(order[:dealt], num_workers - outside)
    rest = order[dealt:]
    runs = np.array_split(rest[np.argsort(labels[rest], kind="stable")], num_workers - outside)
    shards = [np.concatenate(each) for each in zip(even, runs, strict=True)]
    return [np.arange(len(labels)) for _ in range(outside)] + shards
