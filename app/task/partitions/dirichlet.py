"""Class shares drawn from a Dirichlet distribution."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.strategies.core.options import checked
from signfed.strategies.core.seeds import generator

ATTEMPTS = 100


@checked
def dirichlet(
    labels: np.ndarray,
    num_workers: int,
    seed: int,
    *,
    alpha: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="small: few classes a worker")
    ] = 0.5,
) -> list[np.ndarray]:
    """Split each class among the workers in proportions p ~ Dir(alpha, ..., alpha).

    Shards are disjoint and complete and differ in size. A draw that leaves a worker with nothing
    is drawn again, up to 100 times.

    Parameters
    ----------
    labels : ndarray, int64 [n]
    num_workers : int
        M, at least 1.
    seed : int
    alpha : float
        Above 0: large gives all workers alike shares, small gives each class to few of them.

    Returns
    -------
    list of ndarray
        int64 sample ids, by worker.

    Raises
    ------
    ValueError
        When each of 100 draws left a worker without a sample.

    Examples
    --------
    >>> [len(shard) for shard in dirichlet(np.arange(100) % 2, 4, 0, alpha=1.0)]
    [13, 14, 37, 36]

    References
    ----------
    Yurochkin et al. 2019, Bayesian nonparametric federated learning of neural networks, section 4.

    Notes
    -----
    Deviation: none.
    """
    for attempt in range(ATTEMPTS):
        shards = _drawn(labels, num_workers, generator(seed, "partition", attempt), alpha)
        if all(map(len, shards)):
            return shards
    raise ValueError(
        f"alpha: with {alpha} each of {ATTEMPTS} draws left one of {num_workers} workers without "
        "a sample; expected a larger alpha or fewer workers"
    )


def _drawn(
    labels: np.ndarray, num_workers: int, draws: np.random.Generator, alpha: float
) -> list[np.ndarray]:
    order = draws.permutation(len(labels))
    shards: list[list[np.ndarray]] = [[] for _ in range(num_workers)]
    for label in np.unique(labels):
        held = order[labels[order] == label]
        shares = _proportions(draws, num_workers, alpha)
        cuts = np.rint(np.cumsum(shares)[:-1] * len(held)).astype(np.int64)
        for shard, part in zip(shards, np.split(held, cuts), strict=True):
            shard.append(part)
    return [np.concatenate(parts) if parts else order[:0] for parts in shards]


def _proportions(draws: np.random.Generator, num_workers: int, alpha: float) -> np.ndarray:
    """Of a symmetric Dirichlet; for alpha so small that all gammas vanish, all to one worker."""
    shares = draws.dirichlet(np.full(num_workers, alpha))
    if np.isfinite(shares).all() and abs(shares.sum() - 1) < 1e-6:
        return shares
    return np.eye(num_workers)[draws.integers(num_workers)]
