"""Divide and conquer (DnC): outliers along the direction of largest variance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strategies.base import RobustStrategy
from strategies.krum import lowest
from strategies.linalg import average, central_gram
from strategies.preconditions import majority_honest
from strategies.seeds import generator
from strategies.updates import Updates


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
        coordinates: int = 10_000,
        iterations: int = 1,
        filter_factor: float = 1.0,
    ) -> None:
        for name, value in (("coordinates", coordinates), ("iterations", iterations)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if not 0 <= filter_factor < math.inf:
            raise ValueError(f"filter_factor: expected at least 0, got {filter_factor}")
        self.n_byzantine = n_byzantine
        self.seed = seed
        self.coordinates = coordinates
        self.iterations = iterations
        self.filter_factor = filter_factor
        self._trusted: list[int] = []

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
        self._trusted = updates.ids[chosen].tolist()
        return average(rows, chosen.to(rows.device))

    def diagnostics(self) -> dict[str, Any]:
        """trusted: ids of the averaged rows."""
        return {"trusted": self._trusted}

    def _removed(self) -> int:
        return math.floor(self.filter_factor * self.n_byzantine)

    def _drawn(self, updates: Updates, iteration: int) -> Tensor:
        draws = generator(self.seed, "dnc", updates.round, iteration)
        n = updates.n_coordinates
        b = min(self.coordinates, n)
        drawn = draws.choice(n, b, replace=False, shuffle=False)
        return torch.from_numpy(np.sort(drawn))  # in order: a shorter way through the memory
