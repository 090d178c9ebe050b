"""A judge of published tables, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.experiments.estimates import Rows
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge, some, together, untried
from signfed.app.report.pictures import PublishedTable
from signfed.app.report.published import HOLDS, NOT_TRIED, UNDECIDED


def agrees(tables: Sequence[PublishedTable]) -> Judge:
    """Make a judge of the published cells: all that were tried hold, each by its table's judge.

    Parameters
    ----------
    tables : sequence of PublishedTable
    """

    def judge(rows: Rows) -> Verdict:
        cells = [cell for table in tables for cell in table.cells(rows)]
        tried = [cell for cell in cells if cell.verdict != NOT_TRIED]
        others = [f"{cell.row} {cell.column}" for cell in tried if cell.verdict != HOLDS]
        published = f"{len(cells)} cells"
        if not tried:
            return untried(published, "as in the table")
        ours = f"{len(tried) - len(others)} of {len(tried)} hold"
        return Verdict(
            published, f"{ours}{f'; not: {some(others)}' if others else ''}", "as in the table",
            together(NOT_TRIED if cell.verdict == UNDECIDED else cell.verdict for cell in tried),
        )  # fmt: skip

    return judge
