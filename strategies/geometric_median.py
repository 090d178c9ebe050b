"""Geometric median by Weiszfeld's iteration. Its numerics are in ops/weiszfeld.py."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import weiszfeld as numerics
from signfed.strategies.ops.linalg import central_gram, combine
from signfed.strategies.server.strategy import RobustStrategy


def weiszfeld(
    squared: Tensor,
    weights: Tensor,
    prior: Tensor,
    *,
    eps: float,
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Minimize sum_i a_i ||v - x_i|| over the points v = sum_i w_i x_i.

    w_i <- (a_i / max(eps, ||v - x_i||)) / (the sum of these over i)

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs of rows.
    weights : Tensor, float64 [n]
        w at the start.
    prior : Tensor, float64 [n]
        a.
    eps : float, above 0
        Distances below it count as eps.
    max_iterations : int, at least 0
    tolerance : float, at least 0
        A step of this many typical distances is the last.

    Returns
    -------
    weights : Tensor, float64 [n]
        w of the minimum.
    distances : Tensor, float64 [n]
        All ||v - x_i||.

    Examples
    --------
    >>> line = torch.tensor([0.0, 1.0, 5.0], dtype=torch.float64)
    >>> w, _ = weiszfeld((line[:, None] - line).square(), torch.ones(3).double() / 3,
    ...     torch.ones(3).double(), eps=1e-6, max_iterations=100, tolerance=1e-8)
    >>> round(float(w @ line), 3)
    1.0
    """
    typical = numerics.typical_distance(squared)
    touch = numerics.ON_A_ROW * typical
    for _ in range(max_iterations):
        distances = numerics.step_distances(squared, weights)
        nearest = int(distances.argmin())
        if eps < touch and distances[nearest] < touch:
            near = squared[nearest].sqrt() < touch
            moved = numerics.leave(squared, nearest, prior, near=near)
        else:
            moved = prior / distances.clamp(min=eps)
            moved = moved / moved.sum()
        step = float((moved - weights).abs() @ distances)  # at least the length of the step
        weights = moved
        if step <= tolerance * typical:
            break
    return weights, numerics.step_distances(squared, weights)


def nearness_prior(prior: Tensor, distances: Tensor) -> Tensor:
    """Weigh rows by their nearness to the median: a_i exp(-||v - x_i||), up to a common factor.

    The factor keeps the nearest row's weight, so that not all weights underflow to 0.

    Parameters
    ----------
    prior : Tensor, float64 [n]
        a.
    distances : Tensor, float64 [n]
        ||v - x_i||.

    Returns
    -------
    Tensor, float64 [n]
    """
    return prior * torch.exp(distances.min() - distances)


class GeometricMedian(RobustStrategy):
    """Find the point with the smallest sum of distances to the rows.

    argmin_v sum_m ||v - g_m||, which is a weighted mean of the rows

    Parameters
    ----------
    eps : float
        Smoothing of the distances, above 0.
    max_iterations : int
        Weiszfeld steps at most, at least 1.
    tolerance : float
        The step, in typical distances, that ends the search; at least 0.
    from_zero : bool
        Whether the search begins in 0, as ByzFL's does, not in the mean of the central half of the
        rows. That matters where it is ended early: ByzFL takes 3 steps with eps 0.1.
    reweight : bool
        Whether to search twice more, each time with the prior w_m <- w_m exp(-||v - g_m||): the
        "GeoMed" of the SignGuard authors' code. In high dimensions all but the nearest row vanish.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0], [90.0, 90.0]]
    >>> aggregate("geometric-median", rows).round(3)
    array([1.577, 1.577], dtype=float32)

    Notes
    -----
    Precondition: none; the answer is bounded while fewer workers are Byzantine than honest
    (f < n/2).

    Deviation: the start, the end of the search, and the treatment of rows that are far out or that
    the search stands on; `signfed.strategies.ops.weiszfeld` numbers them and gives the reasons.

    References
    ----------
    Pillutla et al. 2019, Algorithm 2 (smoothed Weiszfeld).
    """

    encoder = "float32"

    def __init__(
        self,
        eps: Annotated[float, Field(gt=0, description="smoothing of the distances")] = 1e-6,
        max_iterations: Annotated[int, Field(ge=1, description="Weiszfeld steps at most")] = 1000,
        tolerance: Annotated[
            float, Field(ge=0, description="step, in typical distances, that ends the search")
        ] = 1e-8,
        from_zero: Annotated[
            bool, Field(description="begin the search in 0, not amid the rows: ByzFL's")
        ] = False,
        reweight: Annotated[
            bool, Field(description="weigh rows by their nearness, twice: the SignGuard authors'")
        ] = False,
    ) -> None:
        self.eps = eps
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.from_zero = from_zero
        self.reweight = reweight
        self._weights: dict[int, float] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the geometric median, float32 [N]."""
        rows = updates.dense()
        squared, factors, centre = numerics.drawn_in(central_gram(rows))
        prior = torch.ones(len(rows), dtype=torch.float64, device=rows.device)
        search = partial(
            weiszfeld,
            squared,
            eps=self.eps,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
        )
        if not self.from_zero:
            weights, distances = search(numerics.central_half(squared), prior)
        else:  # 0 is no mean of the rows; the point of the first step from there is one
            norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
            first = prior / norms.clamp(min=self.eps)
            weights, distances = search(
                first / first.sum(), prior, max_iterations=self.max_iterations - 1
            )
        for _ in range(2 if self.reweight else 0):
            prior = nearness_prior(prior, distances / factors)
            weights, distances = search(weights, prior)
        weights = numerics.drawn_out(weights, factors, centre)
        self._weights = dict(zip(updates.ids.tolist(), weights.tolist(), strict=True))
        return combine(rows, weights)

    def diagnostics(self) -> dict[str, Any]:
        """Return `weights`, worker id -> share in the median."""
        return {"weights": self._weights}
