"""Judges of published tables: cell by cell, and the order of cells of broken runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from signfed.app.experiments.estimates import PUBLISHED_NOISE, Rows
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge, sign, some, together, untried
from signfed.app.report.pictures import PublishedTable
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED, Published
from signfed.app.report.seeds import mean_and_error

APART = 0.5  # points: less may be noise in print
Pair = tuple[Published, Published]


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


def in_order(tables: Sequence[tuple[PublishedTable, float]]) -> Judge:
    """Make a judge of the order of cells in a column of which the lower is of a broken run.

    Parameters
    ----------
    tables : sequence of (PublishedTable, float)
        Each with the published value below which a run is broken.
    """

    def judge(rows: Rows) -> Verdict:
        pairs = [pair for table, limit in tables for pair in _pairs(table.cells(rows), limit)]
        if not pairs:
            return untried("the higher cell is higher", "as in the table")
        said = [_in_order(*pair) for pair in pairs]
        ours = f"{said.count(HOLDS)} of {len(said)} pairs hold"
        for verdict, what in ((FAILS, "not"), (UNDECIDED, UNDECIDED)):
            names = [
                f"{higher.row} above {lower.row} under {higher.column}"
                for (higher, lower), says in zip(pairs, said, strict=True) if says == verdict
            ]  # fmt: skip
            ours += f"; {what}: {some(names)}" if names else ""
        return Verdict(
            "the higher cell is higher", ours,
            "one-sided 95 % of the differences between seeds; of one seed 0.3 points",
            together(said),
        )  # fmt: skip

    return judge


def _pairs(cells: Sequence[Published], limit: float) -> Iterator[Pair]:
    """Yield the pairs that were tried, the published higher one first."""
    tried = [cell for cell in cells if cell.ours is not None]
    for higher, lower in permutations(tried, 2):
        apart = higher.published - lower.published > APART
        if higher.column == lower.column and lower.published < limit and apart:
            yield higher, lower


def _in_order(higher: Published, lower: Published) -> str:
    if not (higher.whole and lower.whole):
        return NOT_TRIED
    differences = [a - b for a, b in zip(higher.seeds, lower.seeds, strict=True)]
    mean, error = mean_and_error(differences)
    return sign(mean, error if len(differences) > 1 else 100 * PUBLISHED_NOISE)
