"""One field of a paper's table beside ours, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from signfed.app.report.seeds import mean_and_error

HOLDS, FAILS, UNDECIDED, NOT_TRIED = "holds", "does not hold", "not decided", "not tried"
MARKS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "~", NOT_TRIED: "?"}
LEGEND = ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())


@dataclass(frozen=True)
class Published:
    """One field of a paper's table, and ours.

    Attributes
    ----------
    row, column : hashable
        As our rows call them.
    published : float
        The paper's value, in the paper's unit.
    ours : float or None
        The mean over our seeds, in the same unit; None where nothing was run.
    verdict : str
        "holds", "does not hold", "not decided" or "not tried".
    seeds : tuple of float
        What `ours` is the mean of.
    whole : bool
        Whether every run of it ended.
    """

    row: Hashable
    column: Hashable
    published: float
    ours: float | None = None
    verdict: str = NOT_TRIED
    seeds: tuple[float, ...] = ()
    whole: bool = True

    @property
    def error(self) -> float:
        """What `ours` is uncertain by: `mean_and_error`, 0 of one seed."""
        return mean_and_error(self.seeds)[1] if self.seeds else 0.0

    @property
    def difference(self) -> float | None:
        """Ours minus the published value; None where nothing was run."""
        return None if self.ours is None else self.ours - self.published


Judge = Callable[[Published], str]


def within(tolerance: float, collapsed: float = 0.0) -> Judge:
    """Return a judge: ours holds where it is near the published value, beyond its error.

    Parameters
    ----------
    tolerance : float
        The largest difference, in the paper's unit.
    collapsed : float
        A published value below it is one of a broken model, and whatever of ours is below it, too,
        holds.

    Returns
    -------
    callable
        Published, of which something ran -> its verdict: undecided where the error of ours reaches
        over the limit. One seed has no error here: the tolerance is all that it is allowed.

    Examples
    --------
    >>> judge = within(0.5, collapsed=50)
    >>> [judge(Published("mean", "lie", p, o)) for p, o in ((99, 98.6), (99, 98), (10, 31))]
    ['holds', 'does not hold', 'holds']
    >>> judge(Published("mean", "lie", 99, 98, seeds=(97.0, 99.0)))
    'not decided'
    """

    def judge(cell: Published) -> str:
        assert cell.ours is not None
        if not math.isfinite(cell.ours):
            return FAILS
        if cell.published < collapsed:
            room, holds = collapsed - cell.ours, cell.ours < collapsed
        else:
            distance = abs(cell.ours - cell.published)
            room, holds = tolerance - distance, distance <= tolerance
        if abs(room) < cell.error:
            return UNDECIDED
        return HOLDS if holds else FAILS

    return judge
