"""What all judges share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from signfed.app.experiments.estimates import Rows, Where, selected
from signfed.app.experiments.experiment import Verdict

Judge = Callable[[Rows], Verdict]
SEEDS = "one-sided 95 % of the paired differences between seeds"
NOT_TRIED = "-"


def untried(published: str, tolerance: str = "") -> Verdict:
    """Return the verdict on a claim whose cells did not run.

    Parameters
    ----------
    published, tolerance : str
        As in `Verdict`.
    """
    return Verdict(published, NOT_TRIED, tolerance, None)


def there(rows: Rows, cells: Iterable[Where]) -> list[Where]:
    """Return those of the cells that the setting has, run or not: a quick one has fewer.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell.
    cells : iterable of mapping
    """
    return [cell for cell in cells if selected(rows, cell)]
