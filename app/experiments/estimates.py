"""Means over seeds with their errors, and paired differences: what the judges compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from signfed.app.report.rows import chosen
from signfed.app.report.seeds import mean_and_error
from signfed.app.report.worth import OF_THE_ROUNDS, broken, worst_of
from signfed.app.runs.folder import ENDED, FINISHED
from signfed.app.runs.summary import DETECTION
from signfed.app.runs.sweeps import Row

Rows = Sequence[Row]
Where = Mapping[str, Any]  # columns and the values that a row must have

# SignGuard prints two cells twice, 0.22 and 0.25 points apart (Tables I and III): what a number
# in a paper of this field moves by when it is measured again.
PUBLISHED_NOISE = 0.003
PUBLISHED_SAMPLES = 10_000  # of the test set there
# From seed to seed the difference of honest rows that SignGuard and -Sim reject has a standard
# deviation of 0.004 to 0.019 (signguard-table2, quick).
SHARES_NOISE = 0.02
TEST_SAMPLES = {"digits": 360}  # of tasks with far fewer


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes
    ----------
    mean : float
    error : float
        As `mean_and_error` has it.
    count : int
        How many seeds.
    alone : float
        What it is uncertain by where there is one seed: `of_one`.
    """

    mean: float
    error: float
    count: int
    alone: float = field(default=PUBLISHED_NOISE, repr=False)

    def text(self, scale: float = 1.0, digits: int = 3) -> str:
        """Return it as it stands in a table.

        Parameters
        ----------
        scale : float
            What it is multiplied by.
        digits : int
            After the point; of large numbers fewer are shown.
        """
        shown = digits if abs(self.mean * scale) < 100 else 1
        known = self.count > 1 and math.isfinite(self.mean)
        error = f" ± {self.error * scale:.{shown}f}" if known else ""
        return f"{self.mean * scale:.{shown}f}{error}"


def estimate(values: Sequence[float]) -> Estimate:
    """Return mean and error of values that differ by their seed alone.

    Parameters
    ----------
    values : sequence of float
        At least one.

    Examples
    --------
    >>> estimate([0.9, 0.9, 0.9, 0.9])
    Estimate(mean=0.9, error=0.0, count=4)
    """
    return Estimate(*mean_and_error(values), len(values))


def of_one(column: str, rows: Rows, *, level: bool = False) -> float:
    """Return what a difference of two runs of one seed is uncertain by, or a level of one run.

    Parameters
    ----------
    column : str
    rows : sequence of mapping
        What ran; a task in them says how large the test set is.
    level : bool
        Whether it is one run's own number.

    Returns
    -------
    float
        Of an accuracy what published ones vary by, more where the test set is smaller than theirs;
        of a share of rows what it varies by between seeds, and its own level none, since rows are
        counted, as bits are; of a loss infinite, since nobody knows.

    Examples
    --------
    >>> [of_one(name, []) for name in ("best_test_accuracy", "honest_rejected", "test_loss")]
    [0.003, 0.02, inf]
    >>> round(of_one("best_test_accuracy", [{"task": "digits"}]), 4)
    0.0158
    """
    if column in OF_THE_ROUNDS:
        return SHARES_NOISE if column in DETECTION and not level else 0.0
    if "loss" in column:
        return math.inf
    samples = min((TEST_SAMPLES.get(row.get("task", ""), PUBLISHED_SAMPLES) for row in rows),
                  default=PUBLISHED_SAMPLES)  # fmt: skip
    return PUBLISHED_NOISE * math.sqrt(PUBLISHED_SAMPLES / samples)


def counted(row: Mapping[str, Any], column: str) -> float | None:
    """Return what a run counts with.

    >>> counted({"status": "diverged", "final_test_accuracy": 0.9}, "final_test_accuracy")
    0.0

    Parameters
    ----------
    row : mapping
        Of a cell.
    column : str
        One of its numbers. Of a run that diverged a loss is infinite, a final accuracy 0: whatever
        was measured before its model broke is not what it came to. The best accuracy stands.

    Returns
    -------
    float or None
        None where it has no such number, or did not end (finished or diverged).
    """
    if broken(row, column):
        return worst_of(column)
    value, status = row.get(column), row.get("status", FINISHED)
    return None if value is None or status not in ENDED else float(value)


def by_seed(rows: Rows, column: str, where: Where) -> dict[int, float]:
    """Return a column of the rows that have these values, by seed.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell.
    column : str
        A score, as `counted` takes it.
    where : mapping
        As for `chosen`; together with the seed it must name one cell.

    Returns
    -------
    dict of int to float
        Empty where a cell did not end well or badly (finished, diverged): what the other seeds
        say is not what was asked.

    Raises
    ------
    ValueError
        When two cells have the same seed: a judge that asks too little.
    """
    found: dict[int, float] = {}
    for row in chosen(rows, where):
        if row.get("status", FINISHED) not in ENDED:
            return {}
        if (value := counted(row, column)) is None:
            continue
        seed = row.get("seed", 0)
        if seed in found:
            raise ValueError(f"{column} of {dict(where)}: expected one cell with seed {seed}")
        found[seed] = value
    return found


def mean_of(rows: Rows, column: str, where: Where) -> Estimate | None:
    """Return the estimate of a column over the seeds; None where no cell has ended.

    Parameters
    ----------
    rows, column, where
        As for `by_seed`.
    """
    found = by_seed(rows, column, where)
    return _of(column, rows, where, list(found.values()), level=True) if found else None


def difference(
    rows: Rows, column: str, one: Where, other: Where, *, beyond: tuple[Where, Where] | None = None
) -> Estimate | None:
    """Return by how much a column is larger in one cell than in another.

    Differences are taken seed by seed, since two cells with the same seed have shards, first model
    and batches in common; only seeds that all have count.

    Parameters
    ----------
    rows, column
        As for `by_seed`.
    one, other : mapping
        The cells.
    beyond : (mapping, mapping), optional
        Two more, whose difference is taken away.

    Returns
    -------
    Estimate or None
        None where they have no seed in common.
    """
    cells = [by_seed(rows, column, cell) for cell in (one, other, *(beyond or ()))]
    common = [seed for seed in cells[0] if all(seed in cell for cell in cells)]
    if not common:
        return None
    # inf - inf is no number
    gaps = [
        [0.0 if a[s] == b[s] else a[s] - b[s] for s in common]
        for a, b in zip(cells[::2], cells[1::2], strict=True)
    ]
    return _of(column, rows, one, [gap[0] - sum(gap[1:]) for gap in zip(*gaps, strict=True)])


def _of(
    column: str, rows: Rows, where: Where, values: Sequence[float], *, level: bool = False
) -> Estimate:
    """The estimate of values of a column; of one seed, with what that is uncertain by."""
    found = estimate(values)
    if found.count > 1:
        return found
    return replace(found, alone=of_one(column, chosen(rows, where), level=level))
