"""Tables of text: Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from signfed.app.report.rows import Rows

LONGEST = 24  # characters of a number with its unit and its error


def _number(text: str) -> bool:
    return text[:1].isdigit() or text[:2].lstrip("-+±.").isdigit()


def _short(text: str) -> bool:
    return text in ("", "-") or (_number(text) and len(text) <= LONGEST)


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown: text to the left, columns of numbers to the right.

    Parameters
    ----------
    heads : sequence of str
        Of the columns.
    lines : sequence of sequence of str
        As long as `heads`, each.

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_table(["rule", "accuracy"], [["a|b", "0.9"]]), end="")
    | rule | accuracy |
    | --- | ---: |
    | a\\|b | 0.9 |
    """
    columns = zip(*lines, strict=True) if lines else [()] * len(heads)
    rule = ["---:" if any(map(_number, column)) and all(map(_short, column)) else "---"
            for column in columns]  # fmt: skip
    escaped = [[text.replace("|", "\\|").replace("\n", " ") for text in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in [list(heads), rule, *escaped])


def csv_text(rows: Rows) -> str:
    """Return rows as CSV, a column for each key of any row; an empty field where a row has none.

    >>> csv_text([{"f": 1}, {"f": 2, "a": None}])
    'f,a\\n1,\\n2,\\n'

    Parameters
    ----------
    rows : sequence of mapping
        Values that are neither numbers nor text are written as Python shows them.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
