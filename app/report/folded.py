"""Options beside their owner: `sign-fd.estimator` tells two sign-fd apart, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.report.rows import Rows, shown, values_of
from signfed.app.runs.sweeps import Row

OWNERS = ("strategy", "attack")


def folded(rows: Rows, rounds: Rows, keys: Sequence[str]) -> tuple[list[Row], list[Row], list[str]]:
    """Name rules and attacks with the options that tell them apart.

    Parameters
    ----------
    rows, rounds : sequence of mapping
        Of cells, and of rounds.
    keys : sequence of str
        What tells the cells apart.

    Returns
    -------
    tuple of list of dict, list of dict, list of str
        The same, without the keys that are options of some of the rules or attacks. An option that
        every row has stays a key of its own.

    Examples
    --------
    >>> mine = {"strategy": "sign-fd", "sign-fd.p": 1}
    >>> rows = [mine, {"strategy": "sign-fd"}, {"strategy": "mv"}]
    >>> found, _, keys = folded(rows, [], ["strategy", "sign-fd.p"])
    >>> [row["strategy"] for row in found], keys
    (['sign-fd (p=1)', 'sign-fd', 'mv'], ['strategy'])
    """
    cells, lines, left = [*map(dict, rows)], [*map(dict, rounds)], list(keys)
    for owner in OWNERS:
        names = {str(value) for value in values_of(rows, owner)}
        options = [
            key for key in keys
            if key.rpartition(".")[0] in names and any(row.get(key) is None for row in rows)
        ]  # fmt: skip
        if owner in keys and options:
            for row in (*cells, *lines):
                row[owner] = _named(row, owner, options)
            left = [key for key in left if key not in options]
    return cells, lines, left


def _named(row: Row, owner: str, options: Sequence[str]) -> str:
    name = str(row.get(owner))
    own = [
        f"{key.removeprefix(f'{name}.')}={shown(row[key])}"
        for key in options if row.get(key) is not None
    ]  # fmt: skip
    return f"{name} ({', '.join(own)})" if own else name
