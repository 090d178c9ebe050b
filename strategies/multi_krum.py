"""Multi-Krum: the mean of the rows that lie nearest to their neighbours."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from signfed.strategies.krum import Krum, Neighbours, Strict


class MultiKrum(Krum):
    """Average the rows with the lowest Krum scores.

    (1/k) sum of g_m over the k rows of lowest s_m, with `krum.krum_scores` over the n - f - 2
    nearest others; of equal scores those of the lowest worker ids win.

    Parameters
    ----------
    n_byzantine : int
        f, how many workers may be Byzantine.
    selected : int
        k, how many rows are averaged; 0 stands for n - f - 2.
    neighbours : int
        How many distances a score sums; 0 stands for n - f - 2.
    strict : bool
        Whether the precondition is checked, as in `Krum`.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("multi-krum", [[0.0], [1.0], [3.0], [7.0], [100.0]], n_byzantine=1)
    array([0.5], dtype=float32)

    Notes
    -----
    Precondition: n >= 2f+3. Deviation: none; the paper leaves k open.

    References
    ----------
    Blanchard et al. 2017, section 4, "m-Krum".
    """

    name = "multi-krum"

    def __init__(
        self,
        n_byzantine: int = 0,
        selected: Annotated[int, Field(ge=0, description="rows averaged; 0: n-f-2")] = 0,
        neighbours: Neighbours = 0,
        strict: Strict = True,
    ) -> None:
        super().__init__(n_byzantine, neighbours, strict)
        self.selected = selected
