"""SignGuard's features of an update, and the cluster that most updates fall into."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.ops.gram import inner_products, squared_distances
from signfed.strategies.ops.linalg import norms
from signfed.strategies.ops.mean_shift import estimate_bandwidth, mean_shift

ROUNDING = 1e-10  # relative: features that differ by less are equal


def sign_shares(rows: Tensor) -> np.ndarray:
    """Shares of positive, zero and negative values of each row: float [n, k] -> float64 [n, 3]."""
    positive, negative = (rows > 0).sum(dim=1), (rows < 0).sum(dim=1)
    counts = torch.stack([positive, rows.shape[1] - positive - negative, negative], dim=1)
    return counts.cpu().numpy() / rows.shape[1]


def _others_median(values: np.ndarray) -> np.ndarray:
    """Median over j != i of values[i, j], [n, n] -> [n]; n >= 2."""
    n = len(values)
    return np.median(values[~np.eye(n, dtype=bool)].reshape(n, n - 1), axis=1)


def cosines(rows: Tensor, reference: Tensor | None) -> np.ndarray:
    """Cosine with the reference, else with all rows: float64 [n] or [n, n]. A zero vector: 0."""
    if reference is not None:
        rows = torch.cat([rows, reference.to(rows)[None]])
    product = inner_products(rows)
    lengths = product.diagonal().sqrt().clamp(min=1e-300)
    found = (product / lengths / lengths[:, None]).clamp(-1.0, 1.0).cpu().numpy()
    return found if reference is None else found[:-1, -1]


def distances(rows: Tensor, reference: Tensor | None) -> np.ndarray:
    """Euclidean distance to the reference, else to all rows: float64 [n] or [n, n]."""
    if reference is None:
        return squared_distances(rows).sqrt().cpu().numpy()
    return norms(rows - reference.to(rows)).cpu().numpy()


def to_correct(values: np.ndarray) -> np.ndarray:
    """Similarity with the "correct" gradient: values to it, [n], or the median over the others."""
    return values if values.ndim == 1 else _others_median(values)


def authors_cosine(values: np.ndarray) -> np.ndarray:
    """clip(cos, 0, med) / (5 med + 1e-8), in [0, 0.2]: the authors' feature. float64 [n].

    values: cosines, [n] or [n, n]; in the latter form their code zeroes the diagonal and leaves it
    in the median. A negative med makes all features equal, so that the feature has no say.
    """
    if values.ndim == 2:
        values = np.median(values * (1 - np.eye(len(values))), axis=1)
    middle = np.median(values)
    return np.minimum(np.maximum(values, 0.0), middle) / (5 * middle + 1e-8)


def authors_distance(values: np.ndarray) -> np.ndarray:
    """0.2 where the distance is at least 1.1 medians, else 0: the authors' feature. float64 [n].

    values: distances, [n]; or [n, n], of which the n // 2 smallest of a row, its own 0 included,
    are summed.
    """
    if values.ndim == 2:
        values = np.sort(values, axis=1)[:, : len(values) // 2].sum(axis=1)
    return np.where(values >= 1.1 * np.median(values), 0.2, 0.0)


def largest_cluster(features: np.ndarray) -> np.ndarray:
    """Members of the largest mean-shift cluster: float64 [n, k] -> bool [n], at least one True.

    The bandwidth is the mean distance to the n/2-th neighbour. When it is 0 up to rounding, rows
    that are equal up to rounding form a cluster. Orphans belong to none; only orphans: everyone is
    in. Of equally large clusters that with the row nearest to the median feature wins, then the one
    with the first row.
    Reference: Xu et al. 2022, Algorithm 2, lines 10-11; the settings are the authors' code's.
    Deviation: all n rows make the bandwidth, where the authors draw 50.
    """
    bandwidth, rounding = estimate_bandwidth(features), ROUNDING * np.abs(features).max()
    spread = bandwidth > rounding
    labels = mean_shift(features, bandwidth) if spread else _equal(features, rounding)
    if (labels < 0).all():
        return np.ones(len(features), bool)
    sizes = np.bincount(labels[labels >= 0])
    largest = np.flatnonzero(sizes == sizes.max())
    offset = np.linalg.norm(features - np.median(features, axis=0), axis=1)
    candidates = np.where(np.isin(labels, largest), offset, np.inf)
    nearest = candidates <= candidates.min() * (1 + ROUNDING)  # the median row of an even number
    return labels == labels[nearest.argmax()]


def _equal(features: np.ndarray, rounding: float) -> np.ndarray:
    """One label for rows within `rounding` of the first of them: int64 [n]."""
    labels = np.full(len(features), -1)
    for i, row in enumerate(features):
        alike = (np.abs(features - row).max(axis=1) <= rounding) & (labels < 0)
        if labels[i] < 0:
            labels[alike] = i
    return labels
