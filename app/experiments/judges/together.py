"""Judges of several claims at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from signfed.app.experiments.estimates import Rows
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge, together
from signfed.app.report.rows import chosen
from signfed.app.report.worth import worst_of
from signfed.app.runs.folder import FINISHED


def every(*judges: Judge) -> Judge:
    """Make a judge of claims that must hold together: what the worst of them says counts.

    One that fails is worse than one that was not tried, and that than one that is not decided.

    Parameters
    ----------
    *judges : callable
    """

    def judge(rows: Rows) -> Verdict:
        found = [each(rows) for each in judges]
        return Verdict(
            found[0].published,
            "; ".join(dict.fromkeys(verdict.ours for verdict in found)),
            "; ".join(dict.fromkeys(verdict.tolerance for verdict in found)),
            together(verdict.says for verdict in found),
        )

    return judge


def each_of(column: str, judge: Judge, of: Mapping[Any, Judge] | None = None) -> Judge:
    """Make a judge of a claim that must hold for each value of a column: each data set, say.

    Parameters
    ----------
    column : str
        A column that some settings do not have: they are judged as they are.
    judge : callable
        Of the rows with one value.
    of : mapping, optional
        Values of which another judge decides: what is little on one data set is much on another.
    """
    differing = of or {}

    def each(rows: Rows) -> Verdict:
        values = list(dict.fromkeys(row.get(column) for row in rows))
        parts = [
            lambda rows, v=value: differing.get(v, judge)(chosen(rows, {column: v}))
            for value in values
        ]
        return every(*parts)(rows) if parts else judge(rows)

    return each


def averaged(column: str, by: Sequence[str], judge: Judge) -> Judge:
    """Make a judge of whole curves: it gets the mean of a column over the rounds, not its end.

    Parameters
    ----------
    column : str
        Of rows of rounds, where the claim is `of_rounds`.
    by : sequence of str
        Columns that tell the cells apart, but for the seed.
    judge : callable
        Of rows with that column, one a cell.
    """
    return _of_curves(column, by, judge, lambda values: math.fsum(values) / len(values))


def at_worst(column: str, by: Sequence[str], judge: Judge) -> Judge:
    """Make a judge of curves that fluctuate: it gets the lowest value of their second half.

    Parameters
    ----------
    column, by, judge
        As for `averaged`.
    """
    return _of_curves(column, by, judge, lambda values: min(values[len(values) // 2 :]))


def _of_curves(
    column: str, by: Sequence[str], judge: Judge, value_of: Callable[[Sequence[float]], float]
) -> Judge:
    keys = (*by, "seed")
    worst = worst_of(column)  # null in JSON: not finite

    def of_values(rounds: Rows) -> Verdict:
        found: dict[tuple[Any, ...], list[float]] = {}
        for row in rounds:
            at = (row.get("status", FINISHED), *(row.get(key) for key in keys))
            values = found.setdefault(at, [])
            if column in row:
                values.append(worst if row[column] is None else float(row[column]))
        return judge([
            dict(zip(("status", *keys), cell, strict=True))
            | ({column: value_of(values)} if values else {})
            for cell, values in found.items()
        ])  # fmt: skip

    return of_values
