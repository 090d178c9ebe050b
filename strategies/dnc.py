"""Divide and conquer (DnC): outliers along the direction of largest variance."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import lowest
from signfed.strategies.ops.linalg import average, central_gram
from signfed.strategies.server.strategy import RobustStrategy


def spectral_scores(rows: Tensor) -> Tensor:
    """<x_i - mu, v>^2 with mu the mean and v the top right singular vector of the centred rows.

    float [n, b] -> float64 [n]. From the n x n inner products: if X = U S V^T is the centred
    matrix, the score of row i is (S_1 U_i1)^2.
    """
    product = central_gram(rows)
    product = product - product.mean(dim=0) - product.mean(dim=1)[:, None] + product.mean()
    values, vectors = torch.linalg.eigh(product)
    return values[-1].clamp(min=0.0) * vectors[:, -1] ** 2


class DnC(RobustStrategy):
    """Mean of the rows that no iteration finds to be outliers: float32 [N].

    An iteration draws b coordinates, scores the rows by `spectral_scores`, keeps the n - floor(c f)
    lowest (equal scores: lowest id first). The answer averages the intersection over iterations;
    when that is empty, the last iteration's rows.

    n_byzantine: f. seed: of the coordinates. coordinates: b, at least 1, capped at N. iterations:
    at least 1. filter_factor: c >= 0.
    Precondition: n > 2f and n - floor(c f) >= 1.
    Reference: Shejwalkar & Houmansadr 2021, Algorithm 2.
    Deviation from the paper: none known; its values of b and c could not be verified.
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
        removed = self._removed()
        if removed >= n:
            return f"dnc removes floor(c f) = {removed} of {n} updates; expected less than all"
        return majority_honest("dnc", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        rows = updates.dense()
        good: set[int] | None = None
        for iteration in range(self.iterations):
            scores = spectral_scores(rows[:, self._drawn(updates, iteration).to(rows.device)])
            kept = set(lowest(scores, updates.n - self._removed()).tolist())
            good = kept if good is None else good & kept
        chosen = torch.tensor(sorted(good or kept))
        self._accepted = updates.ids[chosen].tolist()
        return average(rows, chosen.to(rows.device))

    def diagnostics(self) -> dict[str, Any]:
        """trusted: ids of the averaged rows."""
        return {"accepted": self._accepted}

    def _removed(self) -> int:
        return math.floor(self.filter_factor * self.n_byzantine)

    def _drawn(self, updates: Updates, iteration: int) -> Tensor:
        draws = generator(self.seed, "dnc", updates.server_round, iteration)
        n = updates.n_coordinates
        b = min(self.coordinates, n)
        drawn = draws.choice(n, b, replace=False, shuffle=False)
        return torch.from_numpy(np.sort(drawn))  # in order: a shorter way through the memory
