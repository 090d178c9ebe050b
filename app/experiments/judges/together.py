"""Judges of several claims at once."""

from __future__ import annotations

from signfed.app.experiments.estimates import Rows, selected
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge


def every(*judges: Judge) -> Judge:
    """Make a judge of claims that must hold together; one that was not tried leaves all untried.

    Parameters
    ----------
    *judges : callable
    """

    def judge(rows: Rows) -> Verdict:
        found = [each(rows) for each in judges]
        known = [verdict.holds for verdict in found]
        holds = False if False in known else None if None in known else True
        return Verdict(
            found[0].published,
            "; ".join(dict.fromkeys(verdict.ours for verdict in found)),
            "; ".join(dict.fromkeys(verdict.tolerance for verdict in found)),
            holds,
        )

    return judge


def each_of(column: str, judge: Judge) -> Judge:
    """Make a judge of a claim that must hold for each value of a column: each data set, say.

    Parameters
    ----------
    column : str
        A column that some settings do not have: they are judged as they are.
    judge : callable
        Of the rows with one value.
    """

    def each(rows: Rows) -> Verdict:
        values = list(dict.fromkeys(row.get(column) for row in rows))
        parts = [lambda rows, v=value: judge(selected(rows, {column: v})) for value in values]
        return every(*parts)(rows) if parts else judge(rows)

    return each
