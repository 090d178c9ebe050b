"""The worst case: of several attacks only the strongest counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from signfed.app.experiments.estimates import Rows, Where, counted
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge
from signfed.app.report.rows import chosen, ended
from signfed.app.runs.sweeps import Row


def worst_rows(rows: Rows, column: str, by: Sequence[str]) -> list[Row]:
    """Return the rows of the attack with the lowest mean over seeds, for each cell.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell of the sweep.
    column : str
        An accuracy; of a run that diverged it counts as 0.
    by : sequence of str
        Columns that tell the cells of the table apart.

    Returns
    -------
    list of dict
        Of a cell with runs that did not end these alone: which attack is the worst nobody knows.

    Examples
    --------
    >>> rows = [{"f": 1, "attack": "a", "score": 0.9}, {"f": 1, "attack": "b", "score": 0.2}]
    >>> worst_rows(rows, "score", ["f"])
    [{'f': 1, 'attack': 'b', 'score': 0.2}]
    """
    cells: dict[tuple[Any, ...], dict[Any, list[Row]]] = {}
    for row in rows:
        at = tuple(row.get(name) for name in by)
        cells.setdefault(at, {}).setdefault(row.get("attack"), []).append(row)

    def mean(group: Sequence[Row]) -> float:
        return math.fsum(counted(row, column) or 0.0 for row in group) / len(group)

    def worst(attacks: Sequence[list[Row]]) -> list[Row]:
        lost = [row for group in attacks for row in group if not ended([row])]
        return lost or min(attacks, key=mean)

    return [row for attacks in cells.values() for row in worst(list(attacks.values()))]


def of_worst(judge: Judge, column: str, by: Sequence[str], *, beside: Where | None = None) -> Judge:
    """Make a judge that sees the worst attack of each cell alone.

    Parameters
    ----------
    judge : callable
    column, by
        As for `worst_rows`.
    beside : mapping, optional
        A cell that the judge sees, too, whatever its attack.
    """

    def judge_worst(rows: Rows) -> Verdict:
        kept = chosen(rows, beside) if beside else []
        others = [row for row in rows if row not in kept]
        return judge([*kept, *worst_rows(others, column, by)])

    return judge_worst
