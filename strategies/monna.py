"""MoNNA: the mean of the n - f rows nearest to a reference row."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.gram import centred_gram, squared_distances
from signfed.strategies.ops.linalg import average, lowest
from signfed.strategies.server.strategy import RobustStrategy


def _of_someone(value: str) -> str:
    """Check that the reference is one that can be had."""
    if value not in ("central", "server") and not value.isdecimal():
        raise ValueError(f"expected central, server or a worker's id such as '3'; got {value!r}")
    return value


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
    """Average the n - f rows nearest to a reference row.

    (1/(n-f)) sum of g_m over the n - f smallest ||g_m - r||; of equal ones the lowest worker ids

    In the paper each node of a network averages around its own row, which it trusts. Most servers
    have none. So by default r is the row with the smallest ball around it that holds n - f rows.
    That ball is no larger than the honest rows' diameter D and holds an honest row, so the answer
    is within 2 D of an honest row.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    trusted : str
        Whose row r is: "central", chosen as above; "server", the server's own gradient, for which
        the run needs `server-samples`; or the id of a worker that is known to be honest, such as
        "3". In a round that this worker misses the central row takes its place.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0], [2.0], [4.0], [900.0]]
    >>> aggregate("monna", rows, n_byzantine=1).round(3)
    array([2.333], dtype=float32)
    >>> aggregate("monna", rows, n_byzantine=1, trusted="3")
    array([302.], dtype=float32)
    >>> aggregate("monna", rows, n_byzantine=1, trusted="server", reference=[5.0]).round(3)
    array([2.333], dtype=float32)

    Notes
    -----
    Precondition: n > 2f.

    Deviation: the central row is ours, and the server's own gradient is not averaged with the rows,
    where a node's own row is. ByzFL's MoNNA takes a row by its index, 0 by default, as `trusted`
    does. The paper could not be read; it may ask for a smaller f.

    References
    ----------
    Farhadkhani et al. 2023 (Robust collaborative learning with linear gradient overhead).
    """

    encoder = "float32"

    def __init__(
        self,
        n_byzantine: int = 0,
        trusted: Annotated[
            str,
            AfterValidator(_of_someone),
            Field(description="whose row the others have to be near: central, server, or an id"),
        ] = "central",
    ) -> None:
        self.n_byzantine = n_byzantine
        self.trusted = trusted
        self.needs_reference = trusted == "server"
        self.remembers_workers = trusted.isdecimal()
        self._findings: dict[str, Any] = {}

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return majority_honest("monna", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the rows nearest to the reference, float32 [N]."""
        rows, ids = updates.dense(), updates.ids.tolist()
        kept, found = updates.n - self.n_byzantine, {}
        if self.trusted == "server":
            squared = centred_gram(rows, updates.needed_reference()).diagonal()
        else:
            pairs = squared_distances(rows)
            named = self.trusted in map(str, ids)
            centre = ids.index(int(self.trusted)) if named else central_row(pairs, kept)
            squared, found = pairs[centre], {"reference": ids[centre]}
        chosen = lowest(squared, kept)
        self._findings = found | {"accepted": sorted(ids[i] for i in chosen.tolist())}
        return average(rows, chosen)

    def diagnostics(self) -> dict[str, Any]:
        """Return `reference`, the id of the worker whose row r is, and `accepted`: the averaged."""
        return self._findings
