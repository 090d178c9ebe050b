"""What all judges share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from signfed.app.experiments.estimates import SHARES_NOISE, Estimate, Rows, Where
from signfed.app.experiments.experiment import Verdict
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED
from signfed.app.report.rows import chosen, ended

Judge = Callable[[Rows], Verdict]
SEEDS = "one-sided 95 % of the paired differences between seeds"
ONE_SEED = "one seed: what published cells vary by"
COUNTED, UNKNOWN = "one seed: it is counted", "one seed: how a loss varies is not known"
VARIED = "one seed: what shares of rows vary by between seeds"
NONE = "-"
WORST_FIRST = (FAILS, NOT_TRIED, UNDECIDED, HOLDS)


def untried(published: str, tolerance: str = "") -> Verdict:
    """Return the verdict on a claim whose cells did not run.

    Parameters
    ----------
    published, tolerance : str
        As in `Verdict`.
    """
    return Verdict(published, NONE, tolerance, NOT_TRIED)


def there(rows: Rows, cells: Iterable[Where]) -> list[Where]:
    """Return those of the cells that the setting has, run or not: a quick one has fewer.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell.
    cells : iterable of mapping
    """
    return [cell for cell in cells if chosen(rows, cell)]


def lost(rows: Rows, cells: Iterable[Where] = ({},)) -> bool:
    """Return whether a run of these cells did not end: nobody knows what it would have said.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell, or one a round.
    cells : iterable of mapping
        All rows by default.

    Examples
    --------
    >>> rows = [{"f": 1, "status": "diverged"}, {"f": 2, "status": "failed"}]
    >>> lost(rows, [{"f": 1}]), lost(rows)
    (False, True)
    """
    found = [chosen(rows, cell) for cell in cells]
    return any(len(ended(of_cell)) < len(of_cell) for of_cell in found)


def sign(margin: float, error: float, *, reached: bool = False) -> str:
    """Return what a margin says of a claim that it be above 0.

    Parameters
    ----------
    margin : float
        By how much what was measured is on the claim's side.
    error : float
        What the margin is uncertain by, at least 0.
    reached : bool
        Whether 0 itself will do, as of a limit.

    Returns
    -------
    str
        `HOLDS` or `FAILS` where the margin is beyond its error, `UNDECIDED` within it.

    Examples
    --------
    >>> sign(0.02, 0.01), sign(0.005, 0.01), sign(-0.02, 0.01), sign(0.0, 0.0)
    ('holds', 'not decided', 'does not hold', 'does not hold')
    """
    if margin > error or (reached and margin == error):
        return HOLDS
    return FAILS if margin <= -error else UNDECIDED


def agreement(distance: float, noise: float, error: float) -> str:
    """Return what a distance says of a claim that two numbers are the same.

    Parameters
    ----------
    distance : float
        Between them; where only a loss counts, below 0 for a gain.
    noise : float
        By how much such a number moves when it is measured again.
    error : float
        What the distance is uncertain by.

    Returns
    -------
    str
        `FAILS` beyond noise and error together; `UNDECIDED` where our own error is larger than the
        noise, so that much besides would agree, unless even so the noise is not reached; else
        `HOLDS`.

    Examples
    --------
    >>> [agreement(d, 0.003, 0.005) for d in (-0.004, 0.004, 0.009)], agreement(0.004, 0.003, 0.002)
    (['holds', 'not decided', 'does not hold'], 'holds')
    """
    if distance > noise + error:
        return FAILS
    return UNDECIDED if error > noise and distance + error > noise else HOLDS


def together(said: Iterable[str]) -> str:
    """Return what is said of claims that must all hold.

    Parameters
    ----------
    said : iterable of str
        At least one.

    Examples
    --------
    >>> together([HOLDS, UNDECIDED]), together([NOT_TRIED, UNDECIDED]), together([FAILS, NOT_TRIED])
    ('not decided', 'not tried', 'does not hold')
    """
    return min(said, key=WORST_FIRST.index)


def error_of(found: Estimate) -> float:
    """Return the error of a difference; of one seed, which has none, what its column varies by.

    Parameters
    ----------
    found : Estimate
    """
    return found.error if found.count > 1 else found.alone


def source_of(found: Estimate) -> str:
    """Return what `error_of` goes by.

    Parameters
    ----------
    found : Estimate
    """
    if found.count > 1:
        return SEEDS
    known = {0.0: COUNTED, SHARES_NOISE: VARIED, math.inf: UNKNOWN}
    return known.get(found.alone, ONE_SEED)


def some(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are.

    Parameters
    ----------
    names : sequence of str

    Examples
    --------
    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
