"""The samples that no worker holds: the server's own, and those of validation."""

from __future__ import annotations

import numpy as np

from signfed.strategies.core.seeds import generator


def server_shard(
    labels: np.ndarray, n_samples: int, seed: int, purpose: str = "server-shard"
) -> np.ndarray:
    """Choose samples for the server, at random within each class.

    A class gets floor or ceil of n_samples times its share of the training set: what rounding down
    leaves goes to the classes that lost most by it, of equal ones to the lower label.

    Parameters
    ----------
    labels : ndarray
        int64 [n].
    n_samples : int
        From 0 to n.
    seed : int
    purpose : str
        Of the draw; another one makes another choice.

    Returns
    -------
    ndarray
        int64 [n_samples], sample ids, class by class.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    >>> labels[server_shard(labels, 3, seed=0)]
    array([0, 1, 1])

    Notes
    -----
    Deviation: FLTrust draws its root data uniformly; a small shard could then lack a class.

    References
    ----------
    Cao et al. 2021, "FLTrust", section IV (a small clean training set of the server's own).
    """
    if not n_samples:
        return np.empty(0, np.int64)
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (n_samples / len(labels))
    chosen = np.floor(exact).astype(np.int64)
    most_lost = np.argsort(chosen - exact, kind="stable")
    chosen[most_lost[: n_samples - chosen.sum()]] += 1
    order = generator(seed, purpose).permutation(len(labels))
    return np.concatenate(
        [order[labels[order] == c][:k] for c, k in zip(classes, chosen.tolist(), strict=True)]
    )
