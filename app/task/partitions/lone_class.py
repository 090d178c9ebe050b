"""One worker holds a class that nobody else has."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.strategies.core.options import checked
from signfed.strategies.core.seeds import generator


@checked
def lone_class(
    labels: np.ndarray,
    num_workers: int,
    seed: int,
    *,
    label: Annotated[
        int, Field(ge=0, description="class that the last worker holds, and nobody else")
    ] = 0,
) -> list[np.ndarray]:
    """Give the last worker all samples of one class; the others share the rest evenly.

    What they share is shuffled within each class and dealt out in turn, so that the number of
    samples of a class differs by at most one between them. Whether the federation learns the class
    depends on whether the rule listens to that one honest worker.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 2.
    seed : int
    label : int
        A class that occurs, and is not the only one.

    Returns
    -------
    list of ndarray
        int64 sample ids, by worker.

    Raises
    ------
    ValueError
        When the class does not occur, or nobody else would hold a sample.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], 2)
    >>> [sorted(labels[shard].tolist()) for shard in lone_class(labels, 3, 0, label=1)]
    [[0, 2], [0, 2], [1, 1]]

    References
    ----------
    None; the question is that of ACFA's table of what an honest minority keeps under a rule.

    Notes
    -----
    Deviation: does not apply.
    """
    order = generator(seed, "partition").permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    is_theirs = labels[by_class] == label
    theirs, others = by_class[is_theirs], by_class[~is_theirs]
    if not len(theirs):
        raise ValueError(
            f"label: expected one of {np.unique(labels).tolist()}, the classes that occur; "
            f"got {label}"
        )
    if num_workers < 2 or len(others) < num_workers - 1:
        raise ValueError(
            f"label: {num_workers} workers and {len(others)} samples of other classes; expected "
            "at least two workers, and a sample for each of the others"
        )
    shares = [others[worker :: num_workers - 1] for worker in range(num_workers - 1)]
    return [*shares, theirs]
