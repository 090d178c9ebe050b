"""Krum: the row with the nearest neighbours."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import at_least
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import average
from signfed.strategies.server.strategy import RobustStrategy


def krum_scores(squared: Tensor, neighbours: int) -> Tensor:
    """s_i = sum of the `neighbours` smallest squared distances to other rows: float64 [n].

    squared: float64 [n, n], zero diagonal. neighbours: 1..n-1.
    """
    return squared.sort(dim=1).values[:, 1 : neighbours + 1].sum(dim=1)


def lowest(scores: Tensor, k: int) -> Tensor:
    """Indices of the k lowest scores, the first of equal ones first: int64 [k].

    Equal to 30 binary digits is equal: copies of a row differ by the order of their sums.
    """
    digits, exponent = torch.frexp(scores)
    rounded = torch.ldexp((digits * 2**30).round() / 2**30, exponent)
    return rounded.argsort(stable=True)[:k]


Selected = Annotated[int, Field(ge=0, description="rows averaged; 0: n-f-2")]
Neighbours = Annotated[int, Field(ge=0, description="distances summed in a score; 0: n-f-2")]
Strict = Annotated[bool, Field(description="whether n < 2f+3 is an error")]


class MultiKrum(RobustStrategy):
    """Mean of the rows with the lowest Krum scores: float32 [N].

    s_m = sum of ||g_m - g_k||^2 over the n - f - 2 nearest others k; equal scores: lowest id first.

    n_byzantine: f. selected: how many are averaged; 0: n - f - 2. neighbours: how many are summed;
    0: n - f - 2. strict: raise unless n >= 2f+3; otherwise only what can be computed is asked for.
    Precondition: n >= 2f+3.
    Reference: Blanchard et al. 2017, section 4 and "m-Krum".
    Deviation from the paper: none; the paper leaves `selected` open.
    """

    encoder = "float32"
    name = "multi-krum"

    def __init__(
        self,
        n_byzantine: int = 0,
        selected: Selected = 0,
        neighbours: Neighbours = 0,
        strict: Strict = True,
    ) -> None:
        self.n_byzantine = n_byzantine
        self.selected = selected
        self.neighbours = neighbours
        self.strict = strict
        self._findings: dict[str, Any] = {}

    def admissible(self, n: int) -> str | None:
        most = max(self.selected, self.neighbours + 1, 2)
        if n < most:
            return f"{self.name} with these options needs n >= {most} updates, got {n}"
        if not self.strict:
            return None
        return at_least(self.name, n, self.n_byzantine, per_byzantine=2, more=3)

    def aggregate(self, updates: Updates) -> Tensor:
        rows = updates.dense()
        standard = max(1, updates.n - self.n_byzantine - 2)
        scores = krum_scores(squared_distances(rows), self.neighbours or standard)
        chosen = lowest(scores, self.selected or standard)
        ids = updates.ids.tolist()
        self._findings = {
            "scores": dict(zip(ids, scores.tolist(), strict=True)),
            "accepted": sorted(ids[i] for i in chosen.tolist()),
        }
        return average(rows, chosen)

    def diagnostics(self) -> dict[str, Any]:
        """scores: worker id -> s_m; trusted: the selected ids."""
        return self._findings


class Krum(MultiKrum):
    """The row with the lowest Krum score, as it is: MultiKrum with selected=1.

    Arguments, precondition, reference: see MultiKrum. Deviation from the paper: none.
    """

    name = "krum"

    def __init__(
        self, n_byzantine: int = 0, neighbours: Neighbours = 0, strict: Strict = True
    ) -> None:
        super().__init__(n_byzantine, 1, neighbours, strict)
