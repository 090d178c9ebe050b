"""Comparative gradient elimination (CGE): the mean of the n - f shortest rows."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from signfed.strategies.core.preconditions import majority_honest
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import average, lowest, norms
from signfed.strategies.server.strategy import RobustStrategy


class CGE(RobustStrategy):
    """Average the n - f rows with the smallest norms.

    (1/(n-f)) sum of g_m over the n - f smallest ||g_m||; of equal ones those of the lowest worker
    ids

    What is left of Byzantine rows is no longer than the longest honest row, whatever its direction:
    CGE bounds the length of the answer and tells no reversed row from an honest one.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("cge", [[1.0], [-2.0], [4.0], [900.0]], n_byzantine=1)
    array([1.], dtype=float32)

    Notes
    -----
    Precondition: n > 2f.

    Deviation: none from ByzPy, which averages; against a sum of the n - f rows the factor belongs
    to the learning rate. Of the papers only the abstracts could be read.

    References
    ----------
    Gupta et al. 2020 (Byzantine fault-tolerant distributed machine learning); Liu et al. 2021
    (Approximate Byzantine fault-tolerance in distributed optimization).
    """

    encoder = "float32"

    def __init__(self, n_byzantine: int = 0) -> None:
        self.n_byzantine = n_byzantine
        self._findings: dict[str, Any] = {}

    def admissible(self, n: int) -> str | None:
        """Say why n updates are too few; None when they are enough."""
        return majority_honest("cge", n, self.n_byzantine)

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the shortest rows, float32 [N]."""
        rows, ids = updates.dense(), updates.ids.tolist()
        lengths = norms(rows)
        chosen = lowest(lengths, updates.n - self.n_byzantine)
        self._findings = {
            "norms": dict(zip(ids, lengths.tolist(), strict=True)),
            "accepted": sorted(ids[i] for i in chosen.tolist()),
        }
        return average(rows, chosen)

    def diagnostics(self) -> dict[str, Any]:
        """Return `norms`, worker id -> ||g_m||, and `accepted`, the ids of the averaged rows."""
        return self._findings
