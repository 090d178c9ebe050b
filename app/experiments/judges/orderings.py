"""Judges of orderings: one above another, or a fall from first to last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from signfed.app.experiments.estimates import (
    Rows,
    Where,
    difference,
    mean_of,
)
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import (
    SEEDS,
    Judge,
    error_of,
    sign,
    source_of,
    there,
    together,
    untried,
)
from signfed.app.report.published import FAILS


def higher(
    column: str, pairs: Sequence[tuple[Where, Where]], published: str, *, beyond: float = 0.0,
    reason: str = "",
) -> Judge:  # fmt: skip
    """Make a judge of "this is above that": each difference is above 0 by more than its error.

    Parameters
    ----------
    column : str
        A score, of which more is better or worse as the claim says.
    pairs : sequence of (mapping, mapping)
        The cell that is above, the cell below it; pairs that the setting does not have are left
        out.
    published : str
        What the paper says, in a few words.
    beyond : float
        Of "far above": what the difference must be above in place of 0.
    reason : str
        Where that number comes from.
    """

    def judge(rows: Rows) -> Verdict:
        ours: list[str] = []
        said: list[str] = []
        errors: list[float] = []
        for high, low in pairs:
            if len(there(rows, (high, low))) < 2:
                continue
            found = difference(rows, column, high, low)
            one, other = mean_of(rows, column, high), mean_of(rows, column, low)
            if not (found and one and other):
                return untried(published, SEEDS)
            ours.append(f"{one.text()} against {other.text()}")
            errors.append(error_of(found))
            source = source_of(found)
            said.append(sign(found.mean - beyond, errors[-1]))
        if not ours:
            return untried(published, SEEDS)
        margin = f"more than {beyond:.3g} ({reason}); " if beyond else ""
        tolerance = f"{margin}{source}: {', '.join(f'{error:.3f}' for error in errors)}"
        return Verdict(published, "; ".join(ours), tolerance, together(said))

    return judge


def wider(
    column: str, gap: tuple[Where, Where], other: tuple[Where, Where], published: str
) -> Judge:
    """Make a judge of "the gap is larger here than there", seed by seed, beyond its error.

    Parameters
    ----------
    column : str
        A score.
    gap, other : (mapping, mapping)
        Two cells each: by how much the first is above the second.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        here, there_ = difference(rows, column, *gap), difference(rows, column, *other)
        found = difference(rows, column, *gap, beyond=other)
        if not (here and there_ and found):
            return untried(published, SEEDS)
        tolerance = f"{source_of(found)}: {error_of(found):.3f}"
        ours = f"{here.text()} against {there_.text()}"
        return Verdict(published, ours, tolerance, sign(found.mean, error_of(found)))

    return judge


def falls(column: str, cells: Sequence[Where], published: str) -> Judge:
    """Make a judge of "the more of it, the worse": first to last it falls, and no step rises.

    Both beyond the error of the difference between seeds: a step that may rise breaks nothing.

    Parameters
    ----------
    column : str
        A score that falls where the claim holds.
    cells : sequence of mapping
        In the order in which it falls; those that the setting does not have are left out.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        here = there(rows, cells)
        found = [mean_of(rows, column, cell) for cell in here]
        means = [mean for mean in found if mean]
        if len(means) < max(2, len(found)):
            return untried(published, SEEDS)
        steps = [difference(rows, column, *pair) for pair in pairwise(here)]
        whole = difference(rows, column, here[0], here[-1])
        if None in steps or not whole:
            return untried(published, SEEDS)
        rose = any(step.mean < -error_of(step) for step in steps if step)
        ours = ", ".join(mean.text() for mean in means)
        tolerance = f"{source_of(whole)}: {error_of(whole):.3f} from first to last"
        says = FAILS if rose else sign(whole.mean, error_of(whole))
        return Verdict(published, ours, tolerance, says)

    return judge
