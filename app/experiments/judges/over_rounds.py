"""Judges of rounds: what holds in each of them, and when something is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence

from signfed.app.experiments.estimates import Rows, Where, estimate
from signfed.app.experiments.experiment import Verdict
from signfed.app.experiments.judges.common import SEEDS, Judge, lost, sign, together, untried
from signfed.app.report.published import FAILS, HOLDS, UNDECIDED
from signfed.app.report.rows import chosen
from signfed.app.runs.folder import FINISHED

SURE = 2  # seeds in common; how far the times of one vary nobody knows


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
        pairs = [(row.get(high), row.get(low)) for row in rows]
        gaps = [one - other for one, other in pairs if one is not None and other is not None]
        if not gaps or lost(rows):
            return untried(published, "none")
        ours = f"in {sum(gap > 0 for gap in gaps)} of {len(gaps)} rounds, by {min(gaps):.3f} to "
        says = HOLDS if min(gaps) > 0 else FAILS
        return Verdict(published, f"{ours}{max(gaps):.3f}", "none", says)

    return judge


def reached_in(rows: Rows, cell: Where, target: float) -> dict[int, float]:
    """Return by seed the first evaluated round with this accuracy; infinite: never.

    Parameters
    ----------
    rows : sequence of mapping
        One a round.
    cell : mapping
        Columns and values that the rows must have.
    target : float
        A test accuracy in [0, 1].

    Examples
    --------
    >>> rounds = [{"seed": 0, "round": t, "test_accuracy": t / 10} for t in (2, 4, 6)]
    >>> reached_in(rounds, {}, 0.4), reached_in(rounds, {}, 0.9)
    ({0: 4}, {0: inf})
    """
    found: dict[int, float] = {}
    for row in chosen(rows, cell):
        seed = row.get("seed", 0)
        found.setdefault(seed, math.inf)
        if (row.get("test_accuracy") or 0.0) >= target:
            found[seed] = min(found[seed], row["round"])
    return found


def sooner(pairs: Sequence[tuple[Where, Where]], targets: Sequence[float], published: str) -> Judge:
    """Make a judge of "reaches it in less time": in fewer rounds, as the mean over the seeds.

    The claim holds where of each pair no target is reached later and at least one sooner, beyond
    the error of the difference between seeds, fails where one is reached later, and is not decided
    where none is reached sooner nor later, or with fewer than two seeds in common. Of a target that
    no run of either reaches nothing is said. A run that does not reach it counts as if it did in
    the first evaluation after its cell's end, the earliest that is possible; one that diverged has
    the end that it would have had. With a run that did not end the claim was not tried.

    Parameters
    ----------
    pairs : sequence of (mapping, mapping)
        The cell that is said to be faster, the other one.
    targets : sequence of float
        Test accuracies in [0, 1].
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        if lost(rows, (cell for pair in pairs for cell in pair)):
            return untried(published, SEEDS)
        said, found = [], []
        for fast, slow in pairs:
            soon, late = after_the_end(rows, fast, slow), after_the_end(rows, slow, fast)
            faster = slower = known = 0
            for target in targets:
                one, other = (reached_in(rows, cell, target) for cell in (fast, slow))
                seeds = [seed for seed in one if seed in other]
                if all(math.isinf(times[seed]) for times in (one, other) for seed in seeds):
                    continue
                gain = estimate([min(other[s], late) - min(one[s], soon) for s in seeds])
                known += 1
                slower += gain.count >= SURE and gain.mean < -gain.error
                faster += gain.count >= SURE and gain.mean > gain.error
                first, second = (
                    rounds_text([*one.values()], soon),
                    rounds_text([*other.values()], late),
                )
                said.append(f"{target:.0%}: {first} against {second}")
            if known:
                found.append(FAILS if slower else HOLDS if faster else UNDECIDED)
        if not found:
            return untried(published, SEEDS)
        return Verdict(published, "; ".join(said), SEEDS, together(found))

    return judge


def grows(
    settings: Sequence[tuple[Where, Sequence[Where], Sequence[float]]], published: str
) -> Judge:
    """Make a judge of "the speedup grows": it is larger in the last setting than in the first.

    The speedup of a setting is the geometric mean, over codes and targets, of the slow cell's
    rounds over the fast one's, seed by seed; a run that does not arrive counts as for `sooner`.
    With one seed in common it is not decided; with none, or a run that did not end, it was not
    tried.

    Parameters
    ----------
    settings : sequence of (mapping, sequence of mapping, sequence of float)
        The slow cell, the fast ones, and the test accuracies in [0, 1], in the order in which the
        speedup grows; settings without runs are left out.
    published : str
        What the paper says.
    """

    def judge(rows: Rows) -> Verdict:
        if lost(rows, (cell for slow, fast, _ in settings for cell in (slow, *fast))):
            return untried(published, SEEDS)
        ran = [speedups(rows, *setting) for setting in settings]
        ran = [by_seed for by_seed in ran if by_seed]
        common = [seed for seed in ran[-1] if seed in ran[0]] if len(ran) > 1 else []
        if not common:
            return untried(published, SEEDS)
        more = estimate([ran[-1][seed] - ran[0][seed] for seed in common])
        means = (math.exp(estimate(list(by_seed.values())).mean) for by_seed in ran)
        ours = ", ".join(f"{mean:.2f} x" for mean in means)
        tolerance = f"{SEEDS}: a factor of {math.exp(more.error):.2f} from first to last"
        says = sign(more.mean, more.error) if len(common) >= SURE else UNDECIDED
        return Verdict(published, ours, tolerance, says)

    return judge


def speedups(
    rows: Rows, slow: Where, fast: Sequence[Where], targets: Sequence[float]
) -> dict[int, float]:
    """Return the logarithm of the speedup by seed, as the mean over fast cells and targets.

    Parameters
    ----------
    rows : sequence of mapping
        One a round.
    slow : mapping
        The cell that is said to be slower.
    fast : sequence of mapping
        The others.
    targets : sequence of float
        Test accuracies in [0, 1].
    """
    found: dict[int, list[float]] = {}
    for target in targets:
        there = reached_in(rows, slow, target)
        for cell in fast:
            soon, late = after_the_end(rows, cell, slow), after_the_end(rows, slow, cell)
            for seed, when in reached_in(rows, cell, target).items():
                if seed in there:
                    ratio = min(there[seed], late) / min(when, soon)
                    found.setdefault(seed, []).append(math.log(ratio))
    return {seed: math.fsum(logs) / len(logs) for seed, logs in found.items()}


def after_the_end(rows: Rows, cell: Where, beside: Where) -> float:
    """Return the round of the evaluation that would follow a cell's last one.

    Parameters
    ----------
    rows : sequence of mapping
        One a round.
    cell, beside : mapping
        The cell and its pair's other one, which says it where all runs of the cell diverged.
    """
    own, other = chosen(rows, cell), chosen(rows, beside)
    # a run that diverged may have stopped long before its time
    whole = _finished(own) or _finished(other) or [*own, *other]
    evaluated = {row["round"] for row in whole if row.get("test_accuracy") is not None}
    *_, before, last = (0, 0, *sorted(evaluated))
    return 2 * last - before


def _finished(rows: Rows) -> Rows:
    return [row for row in rows if row.get("status", FINISHED) == FINISHED]


def rounds_text(times: Sequence[float], end: float) -> str:
    """Return the mean of rounds as it stands in a table.

    Parameters
    ----------
    times : sequence of float
        Of the seeds; infinite: never.
    end : float
        The round with which those that never arrive count.

    Examples
    --------
    >>> rounds_text([10, math.inf], 110), rounds_text([math.inf], 110)
    ('at least 60 rounds (1 of 2 seeds)', 'never')
    """
    reached = sum(map(math.isfinite, times))
    if not reached:
        return "never"
    mean = f"{sum(min(time, end) for time in times) / len(times):.0f} rounds"
    every = len(times)
    return mean if reached == every else f"at least {mean} ({reached} of {every} seeds)"
