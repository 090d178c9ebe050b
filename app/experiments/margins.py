"""Judges of margins: how much a cell may lose or must, limits, and a paper's table cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from signfed.app.experiments.estimates import Rows, Where, difference, mean_of, selected
from signfed.app.experiments.experiment import Verdict
from signfed.app.report.pictures import PublishedTable

Judge = Callable[[Rows], Verdict]
SHOWN = 3  # cells that a verdict names


def keeps(
    column: str, base: Where, cells: Sequence[Where], within: float, reason: str, published: str
) -> Judge:
    """Make a judge of "close to": no cell is further below the base than is said to be little.

    Parameters
    ----------
    column : str
        An accuracy.
    base : mapping
        The cell that the others are compared with.
    cells : sequence of mapping
        Those that the setting does not have are left out.
    within : float
        What may be lost; the error of the difference between seeds comes on top.
    reason : str
        Where that number comes from.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        tolerance = f"{within:.3g} ({reason})"
        losses, start = _losses(rows, column, base, cells), mean_of(rows, column, base)
        if not (losses and start):
            return Verdict(published, "-", tolerance, None)
        lost = [f"{name} {loss:.3f}" for loss, name, error in losses if loss - error > within]
        worst, name, error = losses[-1]
        ours = f"{start.text()}; of {len(losses)} cells the largest loss {worst:.3f} ({name})"
        if len(lost) > 1:
            ours += f", {len(lost)} beyond: {_some(lost)}"
        if error:
            tolerance += f" + {error:.3f} (our seeds)"
        return Verdict(published, ours, tolerance, not lost)

    return judge


def harms(
    column: str, base: Where, cells: Sequence[Where], beyond: float, reason: str, published: str
) -> Judge:
    """Make a judge of "fails under": each cell is below the base by more than a margin.

    Parameters
    ----------
    column, base, cells, published
        As for `keeps`.
    beyond : float
        What must be lost at least; the error of the difference between seeds comes on top.
    reason : str
        Where that number comes from.
    """

    def judge(rows: Rows) -> Verdict:
        tolerance = f"more than {beyond:.3g} ({reason})"
        losses = _losses(rows, column, base, cells)
        if not losses:
            return Verdict(published, "-", tolerance, None)
        unharmed = [f"{name} {loss:.3f}" for loss, name, error in losses if loss - error <= beyond]
        least, name, error = losses[0]
        ours = f"of {len(losses)} cells the smallest loss {least:.3f} ({name})"
        if len(unharmed) > 1:
            ours += f", {len(unharmed)} not beyond: {_some(unharmed)}"
        if error:
            tolerance += f" + {error:.3f} (our seeds)"
        return Verdict(published, ours, tolerance, not unharmed)

    return judge


def at_most(
    column: str, cells: Sequence[Where], limit: float, reason: str, published: str
) -> Judge:
    """Make a judge of "never" or "hardly": the mean of no cell is above a limit by its error.

    Parameters
    ----------
    column : str
        A share.
    cells, published
        As for `keeps`.
    limit : float
    reason : str
        Where that number comes from.
    """

    def judge(rows: Rows) -> Verdict:
        tolerance = f"at most {limit:.3g} ({reason})"
        here = [cell for cell in cells if selected(rows, cell)]
        found = [(mean_of(rows, column, cell), _name(cell)) for cell in here]
        known = [(each.mean - each.error, each.text(), name) for each, name in found if each]
        if not known or len(known) < len(here):
            return Verdict(published, "-", tolerance, None)
        most, text, name = max(known)
        ours = f"of {len(known)} cells the largest {text} ({name})"
        return Verdict(published, ours, tolerance, most <= limit)

    return judge


def above_in_rounds(high: str, low: str, published: str) -> Judge:
    """Make a judge of "one column is above another, in every round" of every cell.

    Parameters
    ----------
    high, low : str
        Columns of the rounds.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        gaps = [row[high] - row[low] for row in rows if high in row and low in row]
        if not gaps:
            return Verdict(published, "-", "none", None)
        ours = f"in {sum(gap > 0 for gap in gaps)} of {len(gaps)} rounds, by {min(gaps):.3f} to "
        return Verdict(published, f"{ours}{max(gaps):.3f}", "none", min(gaps) > 0)

    return judge


def agrees(tables: Sequence[PublishedTable]) -> Judge:
    """Make a judge of the published cells: all that were tried hold, each by its table's judge.

    Parameters
    ----------
    tables : sequence of PublishedTable
    """

    def judge(rows: Rows) -> Verdict:
        cells = [cell for table in tables for cell in table.cells(rows)]
        tried = [cell for cell in cells if cell.ours is not None]
        failed = [f"{cell.row} {cell.column}" for cell in tried if cell.verdict != "holds"]
        published = f"{len(cells)} cells"
        if not tried:
            return Verdict(published, "-", "as in the table", None)
        ours = f"{len(tried) - len(failed)} of {len(tried)} hold"
        return Verdict(
            published, f"{ours}{f'; not: {_some(failed)}' if failed else ''}", "as in the table",
            not failed,
        )  # fmt: skip

    return judge


def _losses(
    rows: Rows, column: str, base: Where, cells: Sequence[Where]
) -> list[tuple[float, str, float]]:
    """By how much each cell is below the base, its name, the error; smallest first.

    Empty where one of them did not end.
    """
    here = [cell for cell in cells if selected(rows, cell)]
    found = [(difference(rows, column, base, cell), _name(cell)) for cell in here]
    known = [(loss.mean, name, loss.error) for loss, name in found if loss]
    return sorted(known) if len(known) == len(here) else []


def _name(cell: Where) -> str:
    return " ".join(map(str, cell.values()))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
