"""Judges of claims: rows -> whether an ordering, a level or a number holds, with its tolerance.

Each makes a judge for `Claim`. Where a cell that it needs did not run, the claim was not tried;
where the seeds differ by more than what it is about, it is not decided.
"""

from signfed.app.experiments.judges.common import Judge, agreement, lost, sign, untried
from signfed.app.experiments.judges.levels import alike, learns, near
from signfed.app.experiments.judges.margins import at_most, harms, keeps, nowhere_below
from signfed.app.experiments.judges.orderings import falls, higher, wider
from signfed.app.experiments.judges.over_rounds import above_in_rounds, grows, sooner
from signfed.app.experiments.judges.published_cells import agrees, in_order
from signfed.app.experiments.judges.together import at_worst, averaged, each_of, every
from signfed.app.experiments.judges.worst import of_worst, worst_rows

__all__ = [
    "Judge", "above_in_rounds", "agreement", "agrees", "alike", "at_most", "at_worst",
    "averaged", "each_of", "every", "falls", "grows", "harms", "higher", "in_order", "keeps",
    "learns", "lost", "near", "nowhere_below", "of_worst", "sign", "sooner", "untried", "wider",
    "worst_rows",
]  # fmt: skip
