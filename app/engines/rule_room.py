"""What the rows of a round take on a device, with what the rule makes of them, counted."""

from __future__ import annotations

from signfed.strategies.bulyan import Bulyan
from signfed.strategies.core.crossover import BY_COORDINATE
from signfed.strategies.core.pre_aggregation import PreAggregation
from signfed.strategies.core.rule import Rule
from signfed.strategies.meamed import MeaMed
from signfed.strategies.median import CoordinateMedian
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.trimmed_mean import TrimmedMean

SORT = (CoordinateMedian, TrimmedMean, MeaMed, Bulyan)
SORTED = 12  # bytes a value: a device sorts into float32 values and their int64 places
COPIED = 4  # bytes a value, of any other rule on floats: rows that are centred, weighed or mixed


def bytes_of_rows(rule: Rule, asked: int, workers: int, n: int, *, on_signs: bool) -> int:
    """Count the rows as they are sent, as the rule reads them, and what it keeps of them.

    Parameters
    ----------
    rule : Rule
        Of the run, with its pre-aggregations before it.
    asked : int
        Rows of a round.
    workers : int
        Of the run.
    n : int
        N.
    on_signs : bool
        Whether the rows are packed signs.

    Returns
    -------
    int
        At the peak of a round. A rule of a user counts as one that copies, and reads floats if it
        asks for an encoder of floats.
    """
    packed, values, mixed = asked * -(-n // 8), asked * n, 0
    while isinstance(rule, PreAggregation):
        rule, mixed = rule.inner, mixed + 1
    total = packed if on_signs else 4 * values
    if rule.encoder == "float32" or mixed:
        total += 4 * values * mixed + (4 * values if on_signs else 0)
        total += values * (SORTED if isinstance(rule, SORT) else COPIED)
    else:
        total += packed if on_signs else 4 * values  # while votes are counted
    if isinstance(rule, SignFD) and rule.estimator in BY_COORDINATE:
        total += 2 * workers * n * (2 if rule.forget == 1 else 4)  # twice while they are saved
    return total
