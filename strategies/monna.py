"""MoNNA: the mean of the n - f rows nearest to a reference row."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.ops.linalg import average, lowest
from signfed.strategies.server.strategy import RobustStrategy


def central_row(squared: Tensor, count: int) -> int:
    """Find the row with the smallest ball around it that holds `count` rows, itself included.

    argmin_i of the distance of row i to the last of the `count` rows nearest to it

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs, with a zero diagonal.
    count : int, from 1 to n

    Returns
    -------
    int
        Of equal ones the first.

    Examples
    --------
    >>> import torch
    >>> central_row(squared_distances(torch.tensor([[0.0], [2.0], [3.0], [90.0]])), 3)
    1
    """
    return int(lowest(squared.sort(dim=1).values[:, count - 1], 1))


class MoNNA(RobustStrategy):
    """Average the n - f rows nearest to a reference row, itself included.

    (1/(n-f)) sum of g_m over the n - f smallest ||g_m - g_r||; of equal ones the lowest worker ids

    In the paper each node of a network averages around its own row, which it trusts. A server has
    none. So r is the worker that `trusted` names or, by default, that with the smallest ball around
    its row that holds n - f rows. That ball is no larger than the honest rows' diameter D and holds
    an honest row, so the answer is within 2 D of an honest row.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    trusted : int
        r, an honest worker's id. For -1, and in a round that it misses, the server chooses r.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0], [2.0], [4.0], [900.0]]
    >>> aggregate("monna", rows, n_byzantine=1).round(3)
    array([2.333], dtype=float32)
    >>> aggregate("monna", rows, n_byzantine=1, trusted=3)
    array([302.], dtype=float32)

    Notes
    -----
    Precondition: n > 2f.

    Deviation: the reference of a server without a row of its own is ours. ByzFL's MoNNA takes a row
    by its index, 0 by default; with `trusted` it is the same. The paper could not be read; it may
    ask for a smaller f.

    References
    ----------
    Farhadkhani et al. 2023 (Robust collaborative learning with linear gradient overhead).
    """

    encoder = "float32"

    def __init__(
        self,
        n_byzantine: int = 0,
        trusted: Annotated[
            int, Field(ge=-1, description="worker whose row is trusted; -1: the most central one")
        ] = -1,
    ) -> None:
        self.n_byzantine = n_byzantine
        self.trusted = trusted
        self._findings: dict[str, Any] = {}

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return majority_honest("monna", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the rows nearest to the reference, float32 [N]."""
        rows, ids = updates.dense(), updates.ids.tolist()
        squared, kept = squared_distances(rows), updates.n - self.n_byzantine
        known = self.trusted in ids
        reference = ids.index(self.trusted) if known else central_row(squared, kept)
        chosen = lowest(squared[reference], kept)
        self._findings = {
            "reference": ids[reference],
            "accepted": sorted(ids[i] for i in chosen.tolist()),
        }
        return average(rows, chosen)

    def diagnostics(self) -> dict[str, Any]:
        """Return `reference`, the id of r, and `accepted`, the ids of the averaged rows."""
        return self._findings
