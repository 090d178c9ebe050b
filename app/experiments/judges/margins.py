"""Judges of margins: how much a cell may lose, or must, beside another one; limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from signfed.app.experiments.estimates import Rows, Where, difference, mean_of
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import (
    Judge,
    error_of,
    sign,
    some,
    source_of,
    there,
    together,
    untried,
)
from signfed.app.report.published import FAILS, UNDECIDED


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
        What may be lost. A loss within the error between seeds of it decides nothing.
    reason : str
        Where that number comes from.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        tolerance = f"{within:.3g} ({reason})"
        losses = _losses(rows, column, [(base, cell) for cell in cells])
        start = mean_of(rows, column, base)
        if not (losses and start):
            return untried(published, tolerance)
        return _kept(losses, within, f"{start.text()}; ", published, tolerance)

    return judge


def nowhere_below(
    column: str, pairs: Sequence[tuple[Where, Where]], within: float, reason: str, published: str
) -> Judge:
    """Make a judge of "never below": no cell is further below its own base than is little.

    Parameters
    ----------
    column, within, reason, published
        As for `keeps`.
    pairs : sequence of (mapping, mapping)
        A base, and the cell that is compared with it; pairs that the setting does not have are left
        out.
    """

    def judge(rows: Rows) -> Verdict:
        tolerance = f"{within:.3g} ({reason})"
        losses = _losses(rows, column, pairs)
        if not losses:
            return untried(published, tolerance)
        return _kept(losses, within, "", published, tolerance)

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
        What must be lost at least. A loss within the error between seeds of it decides nothing.
    reason : str
        Where that number comes from.
    """

    def judge(rows: Rows) -> Verdict:
        tolerance = f"more than {beyond:.3g} ({reason})"
        losses = _losses(rows, column, [(base, cell) for cell in cells])
        if not losses:
            return untried(published, tolerance)
        said = [(each, sign(each.loss - beyond, each.error)) for each in losses]
        least = losses[0]
        ours = f"of {len(losses)} cells the smallest loss {least}"
        return Verdict(
            published, ours + _rest(said, least, "not beyond"), f"{tolerance} ± {least.allowance}",
            together(says for _, says in said),
        )  # fmt: skip

    return judge


def at_most(
    column: str, cells: Sequence[Where], limit: float, reason: str, published: str
) -> Judge:
    """Make a judge of "never" or "hardly": each cell's mean is below a limit by its error.

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
        known = [(each, name) for each, name in found if each]
        if not known or len(known) < len(here):
            return untried(published, tolerance)
        most, name = max(known, key=lambda each: each[0].mean)
        ours = f"of {len(known)} cells the largest {most.text()} ({name})"
        says = together(sign(limit - x.mean, error_of(x), reached=True) for x, _ in known)
        return Verdict(published, ours, f"{tolerance} ± {error_of(most):.3f}", says)

    return judge


class _Lost(NamedTuple):
    """By how much a cell is below the base."""

    loss: float
    error: float
    name: str
    allowance: str  # the error and what it goes by

    def __str__(self) -> str:
        return f"{self.loss:.3f} ({self.name})"


def _kept(
    losses: Sequence[_Lost], within: float, start: str, published: str, tolerance: str
) -> Verdict:
    """Return whether no loss is above what is little."""
    said = [(each, sign(within - each.loss, each.error, reached=True)) for each in reversed(losses)]
    worst = losses[-1]
    ours = f"{start}of {len(losses)} cells the largest loss {worst}{_rest(said, worst, 'beyond')}"
    says = together(says for _, says in said)
    return Verdict(published, ours, f"{tolerance} ± {worst.allowance}", says)


def _losses(rows: Rows, column: str, pairs: Sequence[tuple[Where, Where]]) -> list[_Lost]:
    """Return what each cell is below its base, smallest first; [] where one did not end."""
    here = [pair for pair in pairs if there(rows, pair[1:])]
    found = [(difference(rows, column, *pair), _name(pair[1])) for pair in here]
    known = [
        _Lost(loss.mean, error_of(loss), name, f"{error_of(loss):.3f} ({source_of(loss)})")
        for loss, name in found if loss
    ]  # fmt: skip
    return sorted(known) if len(known) == len(here) else []


def _rest(said: Sequence[tuple[_Lost, str]], shown: _Lost, failed: str) -> str:
    """Name the cells that break the claim or leave it open, where it is more than the one shown."""
    parts = []
    for says, word in ((FAILS, failed), (UNDECIDED, UNDECIDED)):
        names = [f"{each.name} {each.loss:.3f}" for each, what in said if what == says]
        if [each for each, what in said if what == says] not in ([], [shown]):
            parts.append(f", {len(names)} {word}: {some(names)}")
    return "".join(parts)


def _name(cell: Where) -> str:
    return " ".join(map(str, cell.values()))
