"""Judges of claims: rows -> whether an ordering, a level or a number holds, with its tolerance.

Each makes a judge for `Claim`. Where a cell that it needs did not run, the claim was not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from signfed.app.experiments.estimates import (
    PUBLISHED_NOISE,
    Estimate,
    Rows,
    Where,
    difference,
    mean_of,
)
from signfed.app.experiments.experiment import Verdict

Judge = Callable[[Rows], Verdict]
SEEDS = "one-sided 95 % of the paired differences between seeds"
NOT_TRIED = "-"


def untried(published: str, tolerance: str = "") -> Verdict:
    """Return the verdict on a claim whose cells did not run.

    Parameters
    ----------
    published, tolerance : str
        As in `Verdict`.
    """
    return Verdict(published, NOT_TRIED, tolerance, None)


def higher(column: str, high: Where, low: Where, published: str) -> Judge:
    """Make a judge of "this is above that": the difference is above its own error.

    Parameters
    ----------
    column : str
        A score, of which more is better or worse as the claim says.
    high, low : mapping
        The two cells.
    published : str
        What the paper says, in a few words.
    """

    def judge(rows: Rows) -> Verdict:
        found = difference(rows, column, high, low)
        one, other = mean_of(rows, column, high), mean_of(rows, column, low)
        if not (found and one and other):
            return untried(published, SEEDS)
        ours = f"{one.text()} against {other.text()}"
        return Verdict(published, ours, f"{SEEDS}: {found.error:.3f}", found.mean > found.error)

    return judge


def alike(
    column: str, base: Where, others: Sequence[Where], published: str, *, rises: bool = False
) -> Judge:
    """Make a judge of "nothing is lost": no other cell is worse by more than noise.

    The noise is what published numbers move by when they are measured again (`PUBLISHED_NOISE`),
    and the error of the difference between seeds.

    Parameters
    ----------
    column : str
        An accuracy.
    base : mapping
        The cell that the others are compared with.
    others : sequence of mapping
        Cells.
    published : str
        What the paper says.
    rises : bool
        Whether a rise beyond the noise breaks the claim, too.
    """

    def judge(rows: Rows) -> Verdict:
        losses = [difference(rows, column, base, other) for other in others]
        start = mean_of(rows, column, base)
        if not start or not losses or None in losses:
            return untried(published)
        known = [loss for loss in losses if loss]

        def beyond(loss: Estimate) -> float:
            size = abs(loss.mean) if rises else loss.mean
            return size - loss.error - PUBLISHED_NOISE

        worst = max(known, key=beyond)
        ours = f"{start.text()}, largest loss {worst.mean:.3f}"
        tolerance = f"{PUBLISHED_NOISE} (published noise) + {worst.error:.3f} ({SEEDS})"
        return Verdict(published, ours, tolerance, beyond(worst) <= 0)

    return judge


def falls(column: str, cells: Sequence[Where], published: str) -> Judge:
    """Make a judge of "the more of it, the worse": first to last it falls, and no step rises.

    Both are asked beyond the error of the difference between seeds.

    Parameters
    ----------
    column : str
        A score that falls where the claim holds.
    cells : sequence of mapping
        In the order in which it falls, at least two.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        means = [mean_of(rows, column, cell) for cell in cells]
        steps = [difference(rows, column, a, b) for a, b in zip(cells, cells[1:], strict=False)]
        whole = difference(rows, column, cells[0], cells[-1])
        if None in means or None in steps or not whole:
            return untried(published, SEEDS)
        ours = " > ".join(mean.text(digits=3) for mean in means if mean)
        rose = any(step.mean < -step.error for step in steps if step)
        return Verdict(
            published, ours, f"{SEEDS}: {whole.error:.3f} over all",
            whole.mean > whole.error and not rose,
        )  # fmt: skip

    return judge


def learns(
    column: str, cell: Where, clean: Where, chance: float, published: str, *, fails: bool = False
) -> Judge:
    """Make a judge of "it still learns", or of "it fails": on which side of half way it ends.

    Half way lies between chance and the accuracy of the run that nobody attacks; the mean over
    seeds must be beyond it by its error.

    Parameters
    ----------
    column : str
        An accuracy.
    cell, clean : mapping
        The cell, and the one without attack.
    chance : float
        One over the number of classes.
    published : str
        What the paper says.
    fails : bool
        Whether the claim is that it does not learn.
    """

    def judge(rows: Rows) -> Verdict:
        found, best = mean_of(rows, column, cell), mean_of(rows, column, clean)
        if not (found and best):
            return untried(published)
        half = (chance + best.mean) / 2
        holds = found.mean + found.error < half if fails else found.mean - found.error > half
        tolerance = f"half way from chance to {best.mean:.3f} without attack: {half:.3f}"
        return Verdict(published, found.text(), tolerance, holds)

    return judge


def near(
    column: str, cell: Where, number: float, *, scale: float = 1.0, noise: float = PUBLISHED_NOISE
) -> Judge:
    """Make a judge of a published number: ours is within the paper's noise and our error of it.

    Parameters
    ----------
    column : str
        A score.
    cell : mapping
        The cell.
    number : float
        As published.
    scale : float
        What ours is multiplied by: 100 for per cent.
    noise : float
        By how much such a number moves in the paper itself, before scaling.
    """

    def judge(rows: Rows) -> Verdict:
        found = mean_of(rows, column, cell)
        if not found:
            return untried(f"{number:g}")
        allowed = (noise + found.error) * scale
        tolerance = f"{allowed:.3g}: {noise * scale:.3g} (the paper's noise) + our error"
        holds = abs(found.mean * scale - number) <= allowed
        return Verdict(f"{number:g}", found.text(scale, 2), tolerance, holds)

    return judge


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
