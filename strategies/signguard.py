"""SignGuard: filter by norm, cluster by sign statistics, average what is left, clipped."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import clustering, linalg
from signfed.strategies.server.strategy import RobustStrategy

COMPONENTS = ("filter", "cluster", "clip")
LOWEST, HIGHEST = 0.1, 3.0  # L and R: norms that pass, in medians


def _listed(components: str) -> str:
    if unknown := {part.strip() for part in components.split(",")} - {*COMPONENTS, ""}:
        raise ValueError(f"expected a list of {', '.join(COMPONENTS)}; got {sorted(unknown)}")
    return components


class SignGuard(RobustStrategy):
    """Mean, clipped, of the rows that pass a norm filter and fall into the largest sign cluster.

    (1/|S'|) sum over S' = S1 and S2 of g_m min(1, M/||g_m||), M the median norm: float32 [N].
    S1: rows with 0.1 <= ||g_m|| / M <= 3. S2: the largest MeanShift cluster of the features, shares
    of positive, zero and negative values on randomly chosen coordinates, the same for all rows.

    seed: of the coordinates, drawn anew each round. components: which of filter (else S1 = all),
    cluster (else S2 = all) and clip (else no factor) are on. coordinates: "random", or "window",
    one contiguous piece (the authors' code). fraction: of the coordinates, in (0, 1].
    scaling: "raw" shares, or "max", divided by their largest (the authors' code; drowns sign flips
    where zeros are rare). similarity: the paper's or the authors' form, of the two variants below.
    Edge cases: fewer than 4 rows are not clustered; S' empty: S2; M = 0: the zero vector.
    Precondition: none on f; of honest rows alone it keeps about two thirds.
    Reference: Xu et al. 2022, Algorithm 2.
    Deviation from the paper: MeanShift's settings, on which it is silent, are the authors' code's.
    """

    encoder = "float32"

    def __init__(
        self,
        seed: int = 0,
        components: Annotated[
            str, AfterValidator(_listed), Field(description="which of its parts are on")
        ] = "filter,cluster,clip",
        coordinates: Annotated[
            Literal["random", "window"],
            Field(description="how coordinates are drawn; window as in the authors' code"),
        ] = "random",
        fraction: Annotated[
            float, Field(gt=0, le=1, description="share of the coordinates that are drawn")
        ] = 0.1,
        scaling: Annotated[
            Literal["raw", "max"],
            Field(description="of the shares of signs; max as in the authors' code"),
        ] = "raw",
        similarity: Annotated[
            Literal["paper", "authors"],
            Field(description="form of the fourth feature, which only -sim and -dist have"),
        ] = "paper",
    ) -> None:
        self.seed = seed
        self.components = [part.strip() for part in components.split(",")]
        self.coordinates = coordinates
        self.fraction = fraction
        self.scaling = scaling
        self.similarity = similarity
        self._findings: dict[str, Any] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        rows = updates.dense()
        norms = linalg.norms(rows).cpu().numpy()
        typical = np.median(norms)
        accepted = self._accepted(updates, norms, typical)
        ids = updates.ids.tolist()
        self._findings = {
            "norms": dict(zip(ids, norms.tolist(), strict=True)),
            "accepted": [worker for worker, good in zip(ids, accepted, strict=True) if good],
        }
        if typical == 0:
            return torch.zeros_like(rows[0])
        with np.errstate(divide="ignore"):
            factors = np.minimum(1.0, typical / norms) if "clip" in self.components else 1.0
        weights = np.where(accepted, factors, 0.0) / accepted.sum()
        return linalg.combine(rows, torch.from_numpy(weights).to(rows.device))

    def diagnostics(self) -> dict[str, Any]:
        """trusted: ids of S'; norms: worker id -> ||g_m||."""
        return self._findings

    def similarities(self, rows: Tensor) -> list[np.ndarray]:
        """Features of a variant besides the sign statistics: float64 [n] each."""
        return []

    def _accepted(self, updates: Updates, norms: np.ndarray, typical: float) -> np.ndarray:
        """S', bool [n], never empty."""
        passed = np.ones(updates.n, bool)
        if typical == 0:
            return norms == 0
        if "filter" in self.components:
            passed = (norms >= LOWEST * typical) & (norms <= HIGHEST * typical)
        if "cluster" not in self.components or updates.n < 4:
            return passed if passed.any() else np.ones(updates.n, bool)
        clustered = clustering.largest_cluster(self._features(updates))
        both = passed & clustered
        return both if both.any() else clustered

    def _features(self, updates: Updates) -> np.ndarray:
        rows = updates.dense()
        shares = clustering.sign_shares(rows[:, self._drawn(updates).to(rows.device)])
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
        drawn = draws.choice(n, k, replace=False, shuffle=False)
        return torch.from_numpy(np.sort(drawn))  # in order: a shorter way through the memory


class _WithReference(SignGuard):
    """A variant that compares with the last aggregate; in the first round rows with each other."""

    _last: Tensor | None = None

    def aggregate(self, updates: Updates) -> Tensor:
        self._last = super().aggregate(updates)
        return self._last

    def state_dict(self) -> dict[str, Tensor]:
        """last: the last aggregate, float32 [N]; empty before round 1."""
        return {} if self._last is None else {"last": self._last.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._last = state["last"].clone() if "last" in state else None


class SignGuardSim(_WithReference):
    """SignGuard with cosine similarity to the last aggregate as a fourth feature.

    Without one, in round 1: the median of the cosines with the other rows. All else: SignGuard.
    similarity="authors": `clustering.authors_cosine`.
    Reference: Xu et al. 2022, section IV-B. Deviation from the paper: none (it allows both forms);
    the authors compare pairwise for three epochs.
    """

    def similarities(self, rows: Tensor) -> list[np.ndarray]:
        form = clustering.authors_cosine if self.similarity == "authors" else clustering.to_correct
        return [form(clustering.cosines(rows, self._last))]


class SignGuardDist(_WithReference):
    """SignGuard with Euclidean distance to the last aggregate as a fourth feature.

    Without one, in round 1: the median of the distances to the other rows. All else: SignGuard.
    similarity="authors": `clustering.authors_distance`.
    Reference: Xu et al. 2022, section IV-B. Deviation from the paper: none (it allows both forms).
    """

    def similarities(self, rows: Tensor) -> list[np.ndarray]:
        authors = self.similarity == "authors"
        form = clustering.authors_distance if authors else clustering.to_correct
        return [form(clustering.distances(rows, self._last))]
