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
    """A random s-fraction is dealt out evenly; the rest is sorted by label and cut into 2M runs, of
    which each worker gets two at random.

    labels: int [n]. even_share: s in [0, 1]; 1 is IID, 0 leaves each worker two runs. Shards are
    disjoint, complete, and differ by at most 3 samples in size. Raises ValueError.
    Reference: Xu et al. 2022, section VI-B. Deviation: the s-fraction is drawn at random as the
    paper says; their code takes the first samples of the file and drops remainders.
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
