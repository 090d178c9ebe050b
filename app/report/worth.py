"""What a number of a run counts for where runs are compared, also when its model broke."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from signfed.app.report.rows import number
from signfed.app.runs.folder import DIVERGED
from signfed.app.runs.summary import DETECTION

OF_THE_ROUNDS = (  # what is measured of a run however its model ends; all else is its model's
    *DETECTION, "uplink_bits_per_parameter", "downlink_bits_per_parameter", "rounds", "seconds",
)  # fmt: skip


def worst_is(column: str) -> str:
    """Return which of several values of a column is the worst: "highest" or "lowest".

    >>> worst_is("final_test_loss"), worst_is("final_test_accuracy")
    ('highest', 'lowest')

    Parameters
    ----------
    column : str
        A loss, or an accuracy.
    """
    return "highest" if "loss" in column else "lowest"


def worst_of(column: str) -> float:
    """Return what a column of a model that is no longer finite is worth, where runs are judged.

    >>> worst_of("final_test_loss"), worst_of("final_test_accuracy")
    (inf, 0.0)

    Parameters
    ----------
    column : str
        A loss, or an accuracy.
    """
    return math.inf if worst_is(column) == "highest" else 0.0


def broken(row: Mapping[str, Any], column: str) -> bool:
    """Say whether a number of a run is its model's, which is no longer finite.

    What is measured of the rounds stands however the model ends, and so does the best that was
    reached: that is what papers print.

    >>> row = {"status": "diverged", "final_test_accuracy": 0.1, "best_test_accuracy": 0.9}
    >>> broken(row, "final_test_accuracy"), broken(row, "best_test_accuracy"), broken(row, "rounds")
    (True, False, False)

    Parameters
    ----------
    row : mapping
        Of a cell.
    column : str
        One of its numbers.
    """
    stands = column in OF_THE_ROUNDS or (column.startswith("best_") and row.get(column) is not None)
    return row.get("status") == DIVERGED and not stands


def score(row: Mapping[str, Any], column: str) -> float:
    """Return what a run came to; NaN where that is `broken`, whatever it was before.

    >>> row = {"status": "diverged", "final_test_accuracy": 0.9, "rounds": 2}
    >>> score(row, "final_test_accuracy"), score(row, "rounds")
    (nan, 2.0)

    Parameters
    ----------
    row : mapping
        Of a cell.
    column : str
        One of its numbers.
    """
    return math.nan if broken(row, column) else number(row.get(column))
