"""Geometric median through smoothed Weiszfeld iterations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from strategies.base import RobustStrategy
from strategies.kernels import distances_of
from strategies.linalg import central_gram, combine
from strategies.updates import Updates


def central_half(squared: Tensor) -> Tensor:
    """Uniform weights on the rows that are nearest to their middle neighbour: float64 [n].

    squared: squared distances [n, n]. At most f < n/2 arbitrary rows are never among them, unless
    they lie as near to the honest rows as those to each other.
    """
    typical = squared.median(dim=1).values
    inside = (typical <= typical.median()).to(torch.float64)
    return inside / inside.sum()


def weiszfeld(
    product: Tensor,
    weights: Tensor,
    prior: Tensor,
    *,
    eps: float,
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Minimize sum_i a_i ||v - x_i|| over v = sum_i w_i x_i: the weights w and all ||v - x_i||.

    w_i <- (a_i / max(eps, ||v - x_i||)) / (the sum of these), from `weights`, until the objective
    falls by less than tolerance times itself. Inner products are all it needs, so an iteration
    costs n^2, whatever N.

    product: float64 [n, n], inner products around any centre. weights, prior (a): float64 [n].
    """
    best = torch.inf
    for _ in range(max_iterations):
        distances = _distances(product, weights)
        objective = float(prior @ distances)
        if best - objective <= tolerance * objective:
            break
        best = objective
        weights = prior / distances.clamp(min=eps)
        weights = weights / weights.sum()
    return weights, _distances(product, weights)


def _distances(product: Tensor, weights: Tensor) -> Tensor:
    """||v - x_i|| for v = sum_j w_j x_j."""
    along = product @ weights
    return (weights @ along - 2 * along + product.diagonal()).clamp(min=0.0).sqrt()


class GeometricMedian(RobustStrategy):
    """The point with the smallest sum of distances to the rows, argmin_v sum_m ||v - g_m||.

    A weighted mean of the rows, float32 [N].

    eps: smoothing, above 0; max_iterations, tolerance: see `weiszfeld`.
    reweight: then twice w_m <- w_m exp(-||v - g_m||) as prior, and again (the SignGuard authors'
    "GeoMed"; in high dimensions all but the nearest row vanish).
    Precondition: none; bounded while fewer rows lie than are honest (f < n/2).
    Reference: Pillutla et al. 2019, Algorithm 2 (smoothed Weiszfeld).
    Deviation from the paper: starts at the mean of the central half of the rows, not at the mean of
    all, from which one row at 1e30 takes thousands of iterations to leave; the limit is the same.
    """

    encoder = "float32"

    def __init__(
        self,
        eps: float = 1e-6,
        max_iterations: int = 100,
        tolerance: float = 1e-12,
        reweight: bool = False,
    ) -> None:
        if not eps > 0:
            raise ValueError(f"eps: expected a number above 0, got {eps}")
        if max_iterations < 1:
            raise ValueError(f"max_iterations: expected at least 1, got {max_iterations}")
        self.eps = eps
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.reweight = reweight
        self._weights: dict[int, float] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        rows = updates.dense()
        product = central_gram(rows)
        prior = torch.ones(len(rows), dtype=torch.float64, device=rows.device)
        start = central_half(distances_of(product))
        weights, distances = self._solve(product, start, prior)
        for _ in range(2 if self.reweight else 0):
            prior = prior * torch.exp(distances.min() - distances)  # a common factor cancels
            weights, distances = self._solve(product, weights, prior)
        self._weights = dict(zip(updates.ids.tolist(), weights.tolist(), strict=True))
        return combine(rows, weights)

    def diagnostics(self) -> dict[str, Any]:
        """weights: worker id -> share in the median."""
        return {"weights": self._weights}

    def _solve(self, product: Tensor, start: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        return weiszfeld(
            product,
            start,
            prior,
            eps=self.eps,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
        )
