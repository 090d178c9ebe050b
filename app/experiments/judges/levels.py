"""Judges of levels: nothing lost, learned or failed, a published number."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.experiments.estimates import PUBLISHED_NOISE, Rows, Where, difference, mean_of
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import SEEDS, Judge, there, untried


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
        Cells; those that the setting does not have are left out.
    published : str
        What the paper says.
    rises : bool
        Whether a cell that is better by more than noise breaks the claim, too.
    """

    def judge(rows: Rows) -> Verdict:
        found = [difference(rows, column, base, other) for other in there(rows, others)]
        losses = [loss for loss in found if loss]
        start = mean_of(rows, column, base)
        if not (start and losses) or len(losses) < len(found):
            return untried(published)
        beyond = [(abs(x.mean) if rises else x.mean) - x.error - PUBLISHED_NOISE for x in losses]
        worst = losses[beyond.index(max(beyond))]
        ours = f"{start.text()}, largest {'change' if rises else 'loss'} {worst.text()}"
        tolerance = f"{PUBLISHED_NOISE} (published noise) + {worst.error:.3f} ({SEEDS})"
        return Verdict(published, ours, tolerance, max(beyond) <= 0)

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

    Half way lies between chance and the accuracy of the run that nobody attacks; the mean over
    seeds must be beyond it by its error.

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
        holds = all(
            end.mean + end.error < half if fails else end.mean - end.error > half for end in ends
        )
        return Verdict(published, ", ".join(end.text() for end in ends), tolerance, holds)

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
