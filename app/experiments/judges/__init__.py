"""Judges of claims: rows -> whether an ordering, a level or a number holds, with its tolerance.

Each makes a judge for `Claim`. Where a cell that it needs did not run, the claim was not tried.
"""

from signfed.app.experiments.judges.common import SEEDS, Judge, there, untried
from signfed.app.experiments.judges.levels import alike, learns, near
from signfed.app.experiments.judges.orderings import falls, higher
from signfed.app.experiments.judges.together import each_of, every

__all__ = [
    "SEEDS", "Judge", "alike", "each_of", "every", "falls", "higher", "learns", "near", "there",
    "untried",
]  # fmt: skip
