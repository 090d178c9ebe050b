"""Judges of levels: nothing lost, learned or failed, a published number."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.experiments.estimates import PUBLISHED_NOISE, Rows, Where, difference, mean_of
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import (
    Judge,
    agreement,
    error_of,
    sign,
    source_of,
    there,
    together,
    untried,
)


def alike(
    column: str, base: Where, others: Sequence[Where], published: str, *, rises: bool = False
) -> Judge:
    """Make a judge of "nothing is lost": no other cell is worse by more than noise.

    The noise is what published numbers move by when they are measured again (`PUBLISHED_NOISE`),
    and the error of the difference between seeds; an error above that noise decides nothing.

    Parameters
    ----------
    column : str
        An accuracy.
    base : mapping
        The cell that the others are compared with.
    others : sequence of mapping
        Cells; those that the setting does not have are left out.
    published : str
        What the paper says.
    rises : bool
        Whether a cell that is better by more than noise breaks the claim, too.
    """

    def judge(rows: Rows) -> Verdict:
        here = there(rows, others)
        losses = [loss for other in here if (loss := difference(rows, column, base, other))]
        start = mean_of(rows, column, base)
        if not (start and losses) or len(losses) < len(here):
            return untried(published)
        found = [(abs(loss.mean) if rises else loss.mean, error_of(loss), loss) for loss in losses]
        said = [agreement(lost, PUBLISHED_NOISE, error) for lost, error, _ in found]
        _, error, worst = max(found, key=lambda each: each[0])
        ours = f"{start.text()}, largest {'change' if rises else 'loss'} {worst.text()}"
        tolerance = f"{PUBLISHED_NOISE} (published noise) + {error:.3f} ({source_of(worst)})"
        return Verdict(published, ours, tolerance, together(said))

    return judge


def learns(
    column: str,
    cells: Sequence[Where],
    clean: Where,
    chance: float,
    published: str,
    *,
    fails: bool = False,
) -> Judge:
    """Make a judge of "it still learns", or of "it fails": on which side of half way it ends.

    Half way lies between chance and the accuracy of the run that nobody attacks; each cell's mean
    over the seeds is compared with it.

    Parameters
    ----------
    column : str
        An accuracy.
    cells : sequence of mapping
        Each must; those that the setting does not have are left out.
    clean : mapping
        The cell without attack.
    chance : float
        One over the number of classes.
    published : str
        What the paper says.
    fails : bool
        Whether the claim is that it does not learn.
    """

    def judge(rows: Rows) -> Verdict:
        found = [mean_of(rows, column, cell) for cell in there(rows, cells)]
        ends = [end for end in found if end]
        best = mean_of(rows, column, clean)
        if not (ends and best) or len(ends) < len(found):
            return untried(published)
        half = (chance + best.mean) / 2
        tolerance = f"half way from chance to {best.mean:.3f} without attack: {half:.3f}"
        side = -1 if fails else 1
        says = together(sign(side * (end.mean - half), error_of(end)) for end in ends)
        return Verdict(published, ", ".join(end.text() for end in ends), tolerance, says)

    return judge


def near(
    column: str, cell: Where, number: float, *, scale: float = 1.0, noise: float = PUBLISHED_NOISE,
    reason: str = "the paper's noise",
) -> Judge:  # fmt: skip
    """Make a judge of a published number: ours is within the paper's noise and our error of it.

    Where our error is above that noise, a number that agrees decides nothing.

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
    reason : str
        What that is, where it is not the paper's.
    """

    def judge(rows: Rows) -> Verdict:
        found = mean_of(rows, column, cell)
        if not found:
            return untried(f"{number:g}")
        distance, error = abs(found.mean * scale - number), error_of(found) * scale
        noisy = noise * scale
        tolerance = f"{noisy + error:.3g}: {noisy:.3g} ({reason}) + our error"
        says = agreement(distance, noisy, error)
        return Verdict(f"{number:g}", found.text(scale, 2), tolerance, says)

    return judge
