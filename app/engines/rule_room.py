"""What the rows of a round take on a device, with what the rule makes of them, counted."""

from __future__ import annotations

from signfed.strategies.core.pre_aggregation import PreAggregation
from signfed.strategies.core.rule import Rule

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
        total += values * (SORTED if rule.sorts else COPIED)
    else:
        total += packed if on_signs else 4 * values  # while votes are counted
    return total + 2 * rule.kept_bytes * workers * n  # twice while it is saved
