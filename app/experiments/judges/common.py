"""What all judges share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from signfed.app.experiments.estimates import (
    PUBLISHED_NOISE,
    Estimate,
    Rows,
    Where,
    selected,
)
from signfed.app.experiments.experiment import Verdict

Judge = Callable[[Rows], Verdict]
SEEDS = "one-sided 95 % of the paired differences between seeds"
ONE_SEED = "one seed: what published cells vary by"
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


def error_of(found: Estimate) -> float:
    """Return the error of a difference; of one seed, which has none, what published cells vary by.

    Parameters
    ----------
    found : Estimate
    """
    return found.error if found.count > 1 else PUBLISHED_NOISE


def source_of(found: Estimate) -> str:
    """Return what `error_of` goes by.

    Parameters
    ----------
    found : Estimate
    """
    return SEEDS if found.count > 1 else ONE_SEED


def some(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names, and how many more there are.

    Parameters
    ----------
    names : sequence of str
    shown : int
        How many are named.

    Examples
    --------
    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
