"""Rows: what is chosen of them, how they fall into groups, what a column is called."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from signfed.app.runs.folder import ENDED, FINISHED

Rows = Sequence[Mapping[str, Any]]
Row = TypeVar("Row", bound=Mapping[str, Any])

# Columns whose values are shares in 0..1, shown in per cent, and what the others are called.
SHARES = frozenset(
    {
        "test_accuracy", "final_test_accuracy", "best_test_accuracy", "validation_accuracy",
        "final_validation_accuracy", "backdoor_success", "final_backdoor_success",
        "claimed_accuracy", "final_claimed_accuracy", "minority_accuracy", "others_accuracy",
        "final_minority_accuracy", "final_others_accuracy",
        "byzantine_accepted", "honest_rejected", "wrong_signs", "rate",
    }
)  # fmt: skip
PLACES = ("out-dir", "data-dir", "resume")  # run-config keys that say where, not what
NAMES = {
    "claimed_accuracy": "accuracy that nodes claim",
    "final_claimed_accuracy": "final accuracy that nodes claim",
    "byzantine_accepted": "Byzantine workers accepted",
    "honest_rejected": "honest workers rejected",
    "wrong_signs": "wrong-sign rate",
    "uplink_megabytes": "sent to the server (MB)",
    "downlink_megabytes": "sent to the nodes (MB)",
    "megabytes": "sent in both directions (MB)",
    "sent": "sent (MB)",
    "num-byzantine": "Byzantine workers",
    "num-workers": "workers",
    "strategy": "rule",
}


def label(column: str) -> str:
    """Return what a column is called on an axis, with its unit.

    >>> label("final_test_accuracy"), label("num-rounds")
    ('final test accuracy (%)', 'num-rounds')

    Parameters
    ----------
    column : str
        A run-config key, or a field of a summary or of a round.
    """
    name = NAMES.get(column, column.replace("_", " "))
    return f"{name} (%)" if column in SHARES else name


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop.

    >>> sentence("test accuracy by MB")
    'Test accuracy by MB.'

    Parameters
    ----------
    text : str
        Any.
    """
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def shown(value: Any) -> str:
    """Return a value of a column as people read it.

    >>> shown(0.30000000000000004), shown(True), shown("lie"), shown(None)
    ('0.3', 'true', 'lie', '-')

    Parameters
    ----------
    value : object
        Of any column.
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def chosen(rows: Sequence[Row], where: Mapping[str, Any]) -> list[Row]:
    """Return the rows that have these values; a list of values stands for any of them.

    Parameters
    ----------
    rows : sequence of mapping
        Rows.
    where : mapping
        Column -> value, or values.

    Returns
    -------
    list of mapping

    Examples
    --------
    >>> chosen([{"f": 1}, {"f": 2}, {"f": 3}], {"f": [1, 3]})
    [{'f': 1}, {'f': 3}]
    """

    def fits(row: Mapping[str, Any]) -> bool:
        for column, wanted in where.items():
            several = isinstance(wanted, Collection) and not isinstance(wanted, str)
            if row.get(column) not in (wanted if several else (wanted,)):
                return False
        return True

    return [row for row in rows if fits(row)]


def grouped(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> dict[tuple[Hashable, ...], list[Mapping[str, Any]]]:
    """Return rows by their values of some columns, in the order in which these first appear.

    Parameters
    ----------
    rows : iterable of mapping
        Rows.
    columns : sequence of str
        Which; a row that lacks one has None there.

    Returns
    -------
    dict
        Values -> rows.
    """
    groups: dict[tuple[Hashable, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(column) for column in columns), []).append(row)
    return groups


def values_of(rows: Rows, column: str) -> list[Any]:
    """Return the different values of a column: numbers ascending, else in order of appearance.

    >>> values_of([{"f": 4}, {"f": 1}, {"f": 4}, {}], "f"), values_of([{"f": "b"}, {"f": "a"}], "f")
    ([1, 4], ['b', 'a'])

    Parameters
    ----------
    rows : sequence of mapping
        A row that lacks the column, or has null there, does not count.
    column : str
        Which.
    """
    found = list(dict.fromkeys(row[column] for row in rows if row.get(column) is not None))
    numbers = all(isinstance(value, int | float) for value in found)
    return sorted(found) if numbers else found


def ended(rows: Rows) -> list[Mapping[str, Any]]:
    """Return the rows of runs that finished or diverged; one that has no status counts.

    >>> ended([{"status": "failed", "f": 1}, {"status": "diverged", "f": 2}, {"f": 3}])
    [{'status': 'diverged', 'f': 2}, {'f': 3}]

    Parameters
    ----------
    rows : sequence of mapping
        Of cells, or of rounds.
    """
    return [row for row in rows if row.get("status", FINISHED) in ENDED]


def number(value: Any) -> float:
    """Return a value as a float; NaN for null, which stands for what is not finite.

    >>> number(3), number(None)
    (3.0, nan)

    Parameters
    ----------
    value : object
        A number, or None.
    """
    return float(value) if isinstance(value, int | float) else math.nan
