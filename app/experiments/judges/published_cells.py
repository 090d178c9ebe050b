"""A judge of published tables, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.experiments.estimates import Rows
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge, some, together, untried
from signfed.app.report.pictures import PublishedTable
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED


def agrees(tables: Sequence[PublishedTable]) -> Judge:
    """Make a judge of the published cells: all that were tried hold, each by its table's judge.

    A cell of which a run failed is as good as not tried.

    Parameters
    ----------
    tables : sequence of PublishedTable
    """

    def judge(rows: Rows) -> Verdict:
        cells = [cell for table in tables for cell in table.cells(rows)]
        tried = [cell for cell in cells if cell.verdict != NOT_TRIED]
        ours = f"{sum(cell.verdict == HOLDS for cell in tried)} of {len(tried)} hold"
        for verdict, said in ((FAILS, "not"), (UNDECIDED, UNDECIDED)):
            named = [f"{cell.row} {cell.column}" for cell in tried if cell.verdict == verdict]
            ours += f"; {said}: {some(named)}" if named else ""
        published = f"{len(cells)} cells"
        if not tried:
            return untried(published, "as in the table")
        return Verdict(
            published, ours, "as in the table",
            together(cell.verdict if cell.whole else NOT_TRIED for cell in tried),
        )  # fmt: skip

    return judge
