"""Geometric median through smoothed Weiszfeld iterations."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import distances_of
from signfed.strategies.ops.linalg import central_gram, combine
from signfed.strategies.server.strategy import RobustStrategy

FAR = 1e6  # times the typical distance: from there on a row is a direction
ON_A_ROW = 1e-5  # times the typical distance: nearer than that is on it


def central_half(squared: Tensor) -> Tensor:
    """Uniform weights on the rows that are nearest to their middle neighbour: float64 [n].

    squared: squared distances [n, n]. At most f < n/2 arbitrary rows are never among them, unless
    they lie as near to the honest rows as those to each other.
    """
    typical = squared.median(dim=1).values
    inside = (typical <= typical.median()).to(torch.float64)
    return inside / inside.sum()


def weiszfeld(
    squared: Tensor,
    weights: Tensor,
    prior: Tensor,
    *,
    eps: float,
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Minimize sum_i a_i ||v - x_i|| over v = sum_i w_i x_i: the weights w and all ||v - x_i||.

    w_i <- (a_i / max(eps, ||v - x_i||)) / (the sum of these), from `weights`, until a step is at
    most tolerance times the typical distance. Distances of the rows are all it needs, so an
    iteration costs n^2, whatever N.

    squared: float64 [n, n], of all pairs. weights, prior (a): float64 [n].
    """
    nearness = ON_A_ROW * float(squared.median(dim=1).values.min().sqrt())
    for _ in range(max_iterations):
        distances = _distances(squared, weights)
        nearest = int(distances.argmin())
        if eps < nearness and distances[nearest] < nearness:
            moved = leave(squared, nearest, prior, near=squared[nearest].sqrt() < nearness)
        else:
            moved = prior / distances.clamp(min=eps)
            moved = moved / moved.sum()
        step = float((moved - weights).abs() @ distances)  # at least the length of the step
        weights = moved
        if step <= tolerance * nearness / ON_A_ROW:
            break
    return weights, _distances(squared, weights)


def leave(squared: Tensor, k: int, prior: Tensor, *, near: Tensor) -> Tensor:
    """One step from row k, where the weights of `weiszfeld` have a pole: float64 [n].

    With R = sum_i a_i (x_i - x_k) / ||x_i - x_k|| over the other rows, T where these alone would
    step to, and g = a_k / ||R||: v = (1 - g) T + g x_k; x_k is the minimum if g >= 1.
    near: the rows that count as row k, bool [n].
    Reference: Vardi & Zhang 2000, equations 2.5 and 2.6.
    """
    pull = torch.where(near, 0.0, prior / squared[k].sqrt().clamp(min=torch.finfo().tiny))
    # <x_i - x_k, x_j - x_k> from the distances
    product = (squared[k][:, None] + squared[k] - squared) / 2
    strength = float((pull @ product @ pull).clamp(min=0.0).sqrt())
    own = torch.zeros_like(prior)
    own[k] = 1.0
    stays = float(prior[near].sum())
    if strength <= stays:
        return own
    return (1 - stays / strength) * pull / pull.sum() + stays / strength * own


def _distances(squared: Tensor, weights: Tensor) -> Tensor:
    """||v - x_i|| for v = sum_j w_j x_j."""
    along = squared @ weights
    return (along - weights @ along / 2).clamp(min=0.0).sqrt()


def drawn_in(product: Tensor) -> tuple[Tensor, Tensor, int]:
    """Squared distances with far rows drawn in: [n, n], by what factor [n], towards which row.

    A row farther from the central one than FAR times the typical distance counts as a direction:
    at that distance it pulls the same way to 1 / FAR, and its square does not swallow the others'.

    product: inner products around a centre; around the central row if there are such rows.
    """
    squared = distances_of(product)
    centre = int(product.diagonal().argmin())
    typical = squared[centre].median().sqrt()
    factors = torch.ones_like(squared[centre])
    if typical > 0 or int((squared[centre] == 0).sum()) > len(squared) / 2:
        limits = FAR * typical / squared[centre].sqrt()
        factors = limits.nan_to_num(nan=1.0).clamp(max=1.0)
    if (factors < 1.0).any():
        squared = distances_of(factors[:, None] * product * factors)
    return squared, factors, centre


class GeometricMedian(RobustStrategy):
    """The point with the smallest sum of distances to the rows, argmin_v sum_m ||v - g_m||.

    A weighted mean of the rows, float32 [N].

    eps: smoothing, above 0; max_iterations, tolerance: see `weiszfeld`.
    reweight: then twice w_m <- w_m exp(-||v - g_m||) as prior, and again (the SignGuard authors'
    "GeoMed"; in high dimensions all but the nearest row vanish).
    Precondition: none; bounded while fewer rows lie than are honest (f < n/2).
    Reference: Pillutla et al. 2019, Algorithm 2 (smoothed Weiszfeld).
    Deviation from the paper: starts at the mean of the central half of the rows, not at the mean
    of all, from which one row at 1e30 takes thousands of iterations to leave; leaves a row by
    Vardi and Zhang's step; stops by the length of a step. The limit is the same, but for rows a
    million times as far out as is typical, which count as directions.
    """

    encoder = "float32"

    def __init__(
        self,
        eps: Annotated[float, Field(gt=0, description="smoothing of the distances")] = 1e-6,
        max_iterations: Annotated[int, Field(ge=1, description="Weiszfeld steps at most")] = 1000,
        tolerance: Annotated[
            float, Field(ge=0, description="step, in typical distances, that ends the search")
        ] = 1e-8,
        reweight: Annotated[
            bool, Field(description="weigh rows by their nearness, twice: the SignGuard authors'")
        ] = False,
    ) -> None:
        self.eps = eps
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.reweight = reweight
        self._weights: dict[int, float] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        rows = updates.dense()
        squared, factors, centre = drawn_in(central_gram(rows))
        prior = torch.ones(len(rows), dtype=torch.float64, device=rows.device)
        weights, distances = self._solve(squared, central_half(squared), prior)
        for _ in range(2 if self.reweight else 0):
            distances = distances / factors
            prior = prior * torch.exp(distances.min() - distances)  # a common factor cancels
            weights, distances = self._solve(squared, weights, prior)
        weights = weights * factors
        weights[centre] += 1 - weights.sum()  # where a row drawn in was drawn to
        self._weights = dict(zip(updates.ids.tolist(), weights.tolist(), strict=True))
        return combine(rows, weights)

    def diagnostics(self) -> dict[str, Any]:
        """weights: worker id -> share in the median."""
        return {"weights": self._weights}

    def _solve(self, squared: Tensor, start: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        return weiszfeld(
            squared,
            start,
            prior,
            eps=self.eps,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
        )
