"""Krum: the row that lies nearest to its neighbours."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import at_least
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import average, lowest
from signfed.strategies.server.strategy import RobustStrategy

Neighbours = Annotated[int, Field(ge=0, description="distances summed in a score; 0: n-f-2")]
Strict = Annotated[bool, Field(description="whether n < 2f+3 is an error")]


def krum_scores(squared: Tensor, neighbours: int) -> Tensor:
    """Sum the squared distances of each row to its nearest other rows.

    s_i = sum of ||x_i - x_j||^2 over the nearest `neighbours` rows j != i

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs, with a zero diagonal.
    neighbours : int, from 1 to n-1

    Returns
    -------
    Tensor, float64 [n]

    Examples
    --------
    >>> import torch
    >>> line = torch.tensor([[0.0], [1.0], [3.0], [100.0]])
    >>> krum_scores(squared_distances(line), 2).tolist()
    [10.0, 5.0, 13.0, 19210.0]
    """
    return squared.sort(dim=1).values[:, 1 : neighbours + 1].sum(dim=1)


class Krum(RobustStrategy):
    """Choose the row with the lowest Krum score, and return it as it is.

    argmin_m s_m, with `krum_scores` over the n - f - 2 nearest others; of equal scores that of the
    lowest worker id wins.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    neighbours : int
        How many distances a score sums; 0 stands for n - f - 2.
    strict : bool
        Whether the precondition is checked. Without it a score sums max(1, n - f - 2) distances,
        and the guarantee is void.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("krum", [[0.0], [1.0], [3.0], [7.0], [100.0]], n_byzantine=1)
    array([1.], dtype=float32)

    Notes
    -----
    Precondition: n >= 2f+3. Deviation: none.

    References
    ----------
    Blanchard et al. 2017, section 4.
    """

    encoder = "float32"
    reads = True
    name = "krum"
    selected = 1  # how many rows are averaged

    def __init__(
        self, n_byzantine: int = 0, neighbours: Neighbours = 0, strict: Strict = True
    ) -> None:
        self.n_byzantine = n_byzantine
        self.neighbours = neighbours
        self.strict = strict
        self._findings: dict[str, Any] = {}

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        needed = max(self.selected, self.neighbours + 1, 2)
        if n < needed:
            return f"{self.name} with these options needs n >= {needed} updates, got {n}"
        if not self.strict:
            return None
        return at_least(self.name, n, self.n_byzantine, per_byzantine=2, more=3)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the chosen rows, float32 [N]."""
        rows, ids = updates.dense(), updates.ids.tolist()
        standard = max(1, updates.n - self.n_byzantine - 2)
        scores = krum_scores(squared_distances(rows, updates.read), self.neighbours or standard)
        chosen = lowest(scores, self.selected or standard)
        self._findings = {
            "scores": dict(zip(ids, scores.tolist(), strict=True)),
            "accepted": sorted(ids[i] for i in chosen.tolist()),
        }
        return average(rows, chosen)

    def diagnostics(self) -> dict[str, Any]:
        """Return `scores`, worker id -> s_m, and `accepted`, the ids of the chosen rows."""
        return self._findings
