"""Divide and conquer (DnC): outliers along the direction of largest variance."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import average, central_gram, drawn_columns, lowest
from signfed.strategies.server.strategy import RobustStrategy


def spectral_scores(rows: Tensor) -> Tensor:
    """Square each row's part along the direction in which the rows vary most.

    s_i = <x_i - mu, v>^2, mu the mean and v the top right singular vector of the centred rows

    It takes n^2 inner products only: with the centred rows U S V^T, s_i is (S_1 U_i1)^2.

    Parameters
    ----------
    rows : Tensor, float32 [n, b]

    Returns
    -------
    Tensor, float64 [n]

    Examples
    --------
    >>> rows = torch.tensor([[-3.0, 1.0], [0.0, -1.0], [3.0, 0.0]])
    >>> spectral_scores(rows).round(decimals=1).tolist()
    [9.8, 0.0, 8.7]
    """
    product = central_gram(rows)
    product = product - product.mean(dim=0) - product.mean(dim=1)[:, None] + product.mean()
    values, vectors = torch.linalg.eigh(product)
    return values[-1].clamp(min=0.0) * vectors[:, -1] ** 2


class DnC(RobustStrategy):
    """Average the rows that no iteration finds to be outliers.

    An iteration draws b coordinates, computes the `spectral_scores` of the rows there, and keeps
    the n - floor(c f) lowest; of equal scores those of the lowest worker ids. The rows that all
    iterations keep are averaged; when there is none, those that the last one kept.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    seed : int
        Of the drawn coordinates, which are others in each round and iteration.
    coordinates : int
        b, at least 1; more than N means all.
    iterations : int
        At least 1.
    filter_factor : float
        c, at least 0.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("dnc", [[1.0, 2.0], [2.0, 2.0], [3.0, 2.0], [90.0, -9.0]], n_byzantine=1)
    array([2., 2.], dtype=float32)

    Notes
    -----
    Precondition: n > 2f and n - floor(c f) >= 1.

    Deviation: none known; the paper's values of b and c could not be verified.

    References
    ----------
    Shejwalkar & Houmansadr 2021, Algorithm 2.
    """

    encoder = "float32"

    def __init__(
        self,
        n_byzantine: int = 0,
        seed: int = 0,
        coordinates: Annotated[
            int, Field(ge=1, description="b, coordinates drawn in an iteration")
        ] = 10_000,
        iterations: Annotated[
            int, Field(ge=1, description="filters; rows that pass all of them are averaged")
        ] = 1,
        filter_factor: Annotated[
            float,
            Field(ge=0, allow_inf_nan=False, description="c: floor(c f) rows are removed"),
        ] = 1.0,
    ) -> None:
        self.n_byzantine = n_byzantine
        self.seed = seed
        self.coordinates = coordinates
        self.iterations = iterations
        self.filter_factor = filter_factor
        self._accepted: list[int] = []

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        if self._removed >= n:
            return (
                f"dnc removes floor(c f) = {self._removed} of {n} updates; expected fewer than "
                "all of them: lower filter_factor (c) or n_byzantine (f)"
            )
        return majority_honest("dnc", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the rows that were kept, float32 [N]."""
        rows, kept = updates.dense(), []
        for iteration in range(self.iterations):
            draws = generator(self.seed, "dnc", updates.server_round, iteration)
            b = min(self.coordinates, updates.n_coordinates)
            drawn = drawn_columns(draws, updates.n_coordinates, b)
            scores = spectral_scores(rows[:, drawn.to(rows.device)])
            kept.append(set(lowest(scores, updates.n - self._removed).tolist()))
        chosen = torch.tensor(sorted(set.intersection(*kept) or kept[-1]))
        self._accepted = updates.ids[chosen].tolist()
        return average(rows, chosen)

    def diagnostics(self) -> dict[str, Any]:
        """Return `accepted`, the ids of the averaged rows."""
        return {"accepted": self._accepted}

    @property
    def _removed(self) -> int:
        return math.floor(self.filter_factor * self.n_byzantine)
