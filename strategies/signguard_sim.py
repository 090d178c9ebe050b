"""SignGuard-Sim: the cosine with the last aggregate is one more feature."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.clustering import to_correct
from signfed.strategies.ops.linalg import cosines
from signfed.strategies.signguard import Components, Coordinates, Fraction, Scaling, SignGuard

Similarity = Annotated[Literal["paper", "authors"], Field(description="form of the fourth feature")]


def authors_cosine(values: np.ndarray) -> np.ndarray:
    """Turn cosines into the feature of the SignGuard authors' code, in [0, 0.2].

    clip(cos, 0, med) / (5 med + 1e-8), with med the median of the cosines

    A negative median makes all features equal, so that the feature has no say.

    Parameters
    ----------
    values : ndarray, float64 [n] or [n, n]
        Cosines. Of all pairs the median is taken first, for which the authors' code sets the
        diagonal to zero and leaves it in.

    Returns
    -------
    ndarray, float64 [n]
    """
    if values.ndim == 2:
        values = np.median(values * (1 - np.eye(len(values))), axis=1)
    middle = np.median(values)
    return np.minimum(np.maximum(values, 0.0), middle) / (5 * middle + 1e-8)


class SignGuardSim(SignGuard):
    """Run `SignGuard` with the cosine with the last aggregate as a fourth feature.

    In round 1 there is no last aggregate: the feature is the median cosine with the other rows.

    Parameters
    ----------
    seed, components, coordinates, fraction, scaling
        As in `SignGuard`.
    similarity : {"paper", "authors"}
        The cosine itself, or `authors_cosine` of it.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0, 2.0], [1.1, 1.9], [1.0, 2.1], [0.9, 2.0], [2.0, -1.0], [-1.0, 2.0]]
    >>> aggregate("signguard-sim", rows, fraction=1.0).round(3)
    array([0.99, 1.98], dtype=float32)

    Notes
    -----
    Precondition: none on f. State: the last aggregate.

    Deviation: none; the paper allows both forms of round 1. The authors' code compares pairs of
    rows for three epochs.

    References
    ----------
    Xu et al. 2022, section IV-B.
    """

    reads = True

    def __init__(
        self,
        seed: int = 0,
        components: Components = "filter,cluster,clip",
        coordinates: Coordinates = "random",
        fraction: Fraction = 0.1,
        scaling: Scaling = "raw",
        similarity: Similarity = "paper",
    ) -> None:
        super().__init__(seed, components, coordinates, fraction, scaling)
        self.similarity = similarity
        self._last: Tensor | None = None

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the clipped mean of the accepted rows, float32 [N], and remember it."""
        self._last = super().aggregate(updates)
        return self._last

    def similarities(self, rows: Tensor) -> list[np.ndarray]:
        """Return the cosine feature."""
        form = {"paper": to_correct, "authors": authors_cosine}[self.similarity]
        return [form(cosines(rows, self._last))]

    def state_dict(self) -> dict[str, Tensor]:
        """Return `last`: the last aggregate, float32 [N]; nothing before round 1."""
        return {} if self._last is None else {"last": self._last.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self._last = state["last"].clone() if "last" in state else None
