"""Judges of margins: how much a cell may lose, or must, beside another one; limits."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.experiments.estimates import Rows, Where, difference, mean_of
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import Judge, some, there, untried


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
            return untried(published, tolerance)
        lost = [f"{name} {loss:.3f}" for loss, name, error in losses if loss - error > within]
        worst, name, error = losses[-1]
        ours = f"{start.text()}; of {len(losses)} cells the largest loss {worst:.3f} ({name})"
        if len(lost) > 1:
            ours += f", {len(lost)} beyond: {some(lost)}"
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
            return untried(published, tolerance)
        unharmed = [f"{name} {loss:.3f}" for loss, name, error in losses if loss - error <= beyond]
        least, name, error = losses[0]
        ours = f"of {len(losses)} cells the smallest loss {least:.3f} ({name})"
        if len(unharmed) > 1:
            ours += f", {len(unharmed)} not beyond: {some(unharmed)}"
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
        here = there(rows, cells)
        found = [(mean_of(rows, column, cell), _name(cell)) for cell in here]
        known = [(each.mean - each.error, each.text(), name) for each, name in found if each]
        if not known or len(known) < len(here):
            return untried(published, tolerance)
        most, text, name = max(known)
        ours = f"of {len(known)} cells the largest {text} ({name})"
        return Verdict(published, ours, tolerance, most <= limit)

    return judge


def _losses(
    rows: Rows, column: str, base: Where, cells: Sequence[Where]
) -> list[tuple[float, str, float]]:
    """By how much each cell is below the base, its name, the error; smallest first.

    Empty where one of them did not end.
    """
    here = there(rows, cells)
    found = [(difference(rows, column, base, cell), _name(cell)) for cell in here]
    known = [(loss.mean, name, loss.error) for loss, name in found if loss]
    return sorted(known) if len(known) == len(here) else []


def _name(cell: Where) -> str:
    return " ".join(map(str, cell.values()))
