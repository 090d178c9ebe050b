"""One field of a paper's table beside ours, and whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

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
    """

    row: Hashable
    column: Hashable
    published: float
    ours: float | None = None
    verdict: str = NOT_TRIED
    seeds: tuple[float, ...] = ()

    @property
    def difference(self) -> float | None:
        """Ours minus the published value; None where nothing was run."""
        return None if self.ours is None else self.ours - self.published


Judge = Callable[[Published], bool]


def within(tolerance: float, collapsed: float = 0.0) -> Judge:
    """Return a judge: ours holds where it is near the published value.

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
        Published -> bool.

    Examples
    --------
    >>> judge = within(0.5, collapsed=50)
    >>> [judge(Published("mean", "lie", p, o)) for p, o in ((99, 98.6), (99, 98), (10, 31))]
    [True, False, True]
    """

    def judge(cell: Published) -> bool:
        if cell.ours is None:
            return False
        if cell.published < collapsed:
            return cell.ours < collapsed
        return abs(cell.ours - cell.published) <= tolerance

    return judge
