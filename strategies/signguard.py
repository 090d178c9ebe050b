"""SignGuard: filter by norm, cluster by sign statistics, average what is left, clipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import linalg
from signfed.strategies.ops.clustering import largest_cluster
from signfed.strategies.ops.upload import uploaded
from signfed.strategies.server.strategy import RobustStrategy

COMPONENTS = ("filter", "cluster", "clip")
LOWEST, HIGHEST = 0.1, 3.0  # L and R: norms that pass, in medians
FEWEST = 4  # rows that are clustered


def _listed(components: str) -> str:
    if unknown := {part.strip() for part in components.split(",")} - {*COMPONENTS, ""}:
        raise ValueError(f"expected a list of {', '.join(COMPONENTS)}; got {sorted(unknown)}")
    return components


Components = Annotated[str, AfterValidator(_listed), Field(description="which of its parts are on")]
Coordinates = Annotated[
    Literal["random", "window"],
    Field(description="how coordinates are drawn; window as in the authors' code"),
]
Fraction = Annotated[
    float, Field(gt=0, le=1, description="share of the coordinates that are drawn")
]
Scaling = Annotated[
    Literal["raw", "max"],
    Field(description="of the shares of signs; max as in the authors' code"),
]


def passes_filter(norms: np.ndarray, median: float) -> np.ndarray:
    """Accept rows of usual length: 0.1 <= ||g_m|| / M <= 3.

    Parameters
    ----------
    norms : ndarray, float64 [n]
    median : float, at least 0
        M.

    Returns
    -------
    ndarray, bool [n]
    """
    return (norms >= LOWEST * median) & (norms <= HIGHEST * median)


def sign_counts(rows: Tensor) -> Tensor:
    """Count the positive, zero and negative values of each row.

    Parameters
    ----------
    rows : Tensor, float32 [n, k]

    Returns
    -------
    Tensor, int64 [n, 3]

    Examples
    --------
    >>> sign_counts(torch.tensor([[1.0, 2.0, 0.0, -1.0]]))
    tensor([[2, 1, 1]])
    """
    positive, negative = (rows > 0).sum(dim=1), (rows < 0).sum(dim=1)
    return torch.stack([positive, rows.shape[1] - positive - negative, negative], dim=1)


def clipped_shares(norms: np.ndarray, median: float, accepted: np.ndarray) -> np.ndarray:
    """Weigh the accepted rows: min(1, M / ||g_m||) / |S'|, and 0 for the others.

    Parameters
    ----------
    norms : ndarray, float64 [n]
    median : float, above 0
        M; infinity does not clip.
    accepted : ndarray, bool [n]
        S', not empty.

    Returns
    -------
    ndarray, float64 [n]
    """
    with np.errstate(divide="ignore"):
        factors = np.minimum(1.0, median / norms)
    return np.where(accepted, factors, 0.0) / accepted.sum()


class SignGuard(RobustStrategy):
    """Average, clipped, the rows of usual length that fall into the largest cluster of signs.

    (1/|S'|) sum of g_m min(1, M / ||g_m||) over S' = S1 and S2, with M the median norm

    S1 holds the rows that `passes_filter` accepts. S2 is the `largest_cluster` of the rows by their
    shares of `sign_counts` on randomly drawn coordinates, which are the same for all rows.

    Parameters
    ----------
    seed : int
        Of the coordinates, which are drawn anew in each round.
    components : str
        Which of filter (else S1 holds all), cluster (else S2 holds all) and clip (else the factor
        is 1) are on.
    coordinates : {"random", "window"}
        "window" draws one contiguous piece, as the authors' code does.
    fraction : float, in (0, 1]
        Share of the coordinates that are drawn; at least one is.
    scaling : {"raw", "max"}
        "max" divides the shares by their largest, as the authors' code does. It drowns sign flips
        where zeros are rare.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[3.0, 4.0], [3.0, 4.0], [4.0, 3.0], [-3.0, -4.0], [300.0, 400.0]]
    >>> aggregate("signguard", rows, fraction=1.0).round(3)
    array([3.333, 3.667], dtype=float32)

    Notes
    -----
    Precondition: none on f. Of honest rows alone it accepts about two thirds.

    Edge cases: fewer than 4 rows are not clustered. When S' is empty, S2 takes its place. When
    M = 0, the answer is the zero vector.

    Deviation: none; where the paper is silent on mean shift, the settings are the authors' code's.

    References
    ----------
    Xu et al. 2022, Algorithm 2.
    """

    encoder = "float32"
    judges = True
    reads = True

    def __init__(
        self,
        seed: int = 0,
        components: Components = "filter,cluster,clip",
        coordinates: Coordinates = "random",
        fraction: Fraction = 0.1,
        scaling: Scaling = "raw",
    ) -> None:
        self.seed = seed
        self.components = components
        self.coordinates = coordinates
        self.fraction = fraction
        self.scaling = scaling
        self._parts = {part.strip() for part in components.split(",")}
        self._findings: dict[str, Any] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the clipped mean of the accepted rows, float32 [N]."""
        rows, ids = updates.dense(), updates.ids.tolist()
        wanted = [linalg.quick_norms(rows)]
        if "cluster" in self._parts and updates.n >= FEWEST:
            drawn = uploaded(self._drawn(updates), rows.device)
            wanted.append(sign_counts(rows[:, drawn]))
        found, *counts = updates.read(*wanted)
        norms = linalg.mended(found, rows).cpu().numpy()
        median = float(np.median(norms))
        accepted = self._accepted(rows, norms, median, counts) if median else norms == 0
        self._findings = {
            "norms": dict(zip(ids, norms.tolist(), strict=True)),
            "accepted": [worker for worker, good in zip(ids, accepted, strict=True) if good],
        }
        if median == 0:
            return torch.zeros_like(rows[0])
        weights = clipped_shares(norms, median if "clip" in self._parts else np.inf, accepted)
        return linalg.combine(rows, uploaded(weights, rows.device))

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of S', and `norms`, worker id -> ||g_m||."""
        return self._findings

    def similarities(self, rows: Tensor) -> list[np.ndarray]:
        """Return the features of a variant besides the shares of signs, float64 [n] each."""
        return []

    def _accepted(
        self, rows: Tensor, norms: np.ndarray, median: float, counts: Sequence[Tensor]
    ) -> np.ndarray:
        """S', bool [n], never empty; counts of signs where rows are clustered."""
        passed = clustered = np.ones(len(rows), bool)
        if "filter" in self._parts:
            passed = passes_filter(norms, median)
        for each in counts:
            clustered = largest_cluster(self._features(rows, each.numpy()))
        both = passed & clustered
        return both if both.any() else clustered

    def _features(self, rows: Tensor, counts: np.ndarray) -> np.ndarray:
        shares = counts / counts[0].sum()
        if self.scaling == "max":
            shares = shares / (shares.max(axis=0) + 1e-8)
        return np.column_stack([shares, *self.similarities(rows)])

    def _drawn(self, updates: Updates) -> Tensor:
        n = updates.n_coordinates
        k = max(1, int(self.fraction * n))
        draws = generator(self.seed, "signguard", updates.server_round)
        if self.coordinates == "window":
            start = int(draws.integers(max(1, n - k)))
            return torch.arange(start, start + k)
        return linalg.drawn_columns(draws, n, k)
