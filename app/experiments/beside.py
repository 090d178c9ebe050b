"""Published numbers beside ours: as text for the page, and each as a line of a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.experiments.estimates import Rows
from signfed.app.experiments.experiment import Experiment
from signfed.app.experiments.times import TimesTable
from signfed.app.report.pictures import PublishedTable
from signfed.app.report.published import NOT_TRIED
from signfed.app.report.tables import csv_text
from signfed.app.runs.json_files import replace_text

PRECISE = 5  # digits after the point, in a file


def write_tables(
    experiment: Experiment,
    setting: str,
    place: Path,
    *,
    rows: Rows | None = None,
    rounds: Rows | None = None,
    before: Sequence[Mapping[str, Any]] = (),
) -> dict[str, list[dict[str, Any]]]:
    """Write a CSV file of each published table of which something was tried.

    Parameters
    ----------
    experiment : Experiment
    setting : str
        Its name, with which the files' names begin; the picture of a table has the same name.
    place : Path
        The experiment's folder among the pages.
    rows, rounds : sequence of mapping, optional
        One a run, with its task; one a round. None where they are not kept.
    before : sequence of mapping
        The tables that were made when these were there.

    Returns
    -------
    dict
        For verdicts.json: {"tables": of each its name, heads, lines and what it says}, or nothing
        where there is no table.
    """
    known = {table["name"]: dict(table) for table in before}
    tables = []
    for number, table in enumerate((*experiment.pictures, *experiment.tables), 1):
        if not isinstance(table, PublishedTable | TimesTable):
            continue
        name = f"{setting}-{number}"
        given = rounds if table.of_rounds else rows
        if given is None:
            tables += [known[name]] if name in known else []
        elif text := table.text(given):
            replace_text(place / f"{name}.csv", csv_text(_lines(table, given)))
            heads, fields = [*text.heads], [*map(list, text.lines)]
            tables.append({"name": name, "heads": heads, "lines": fields, "says": text.says})
    return {"tables": tables} if tables else {}


def _lines(table: PublishedTable | TimesTable, rows: Rows) -> Rows:
    return table.lines(rows) if isinstance(table, TimesTable) else long_form(table, rows)


def long_form(table: PublishedTable, rows: Rows) -> list[dict[str, Any]]:
    """Return one line for each published cell that was tried.

    Parameters
    ----------
    table : PublishedTable
    rows : sequence of mapping
        One a run.

    Returns
    -------
    list of dict
        Its row and column as our rows call them, then `published`, `ours`, `seeds`, `error` (none
        of one seed), `difference` and `verdict`, in the paper's unit.
    """
    lines = []
    for cell in table.cells(rows):
        if cell.verdict == NOT_TRIED:
            continue
        error = cell.error if len(cell.seeds) > 1 else None
        lines.append(
            {
                table.rows: cell.row, table.columns: cell.column, "published": cell.published,
                "ours": _rounded(cell.ours), "seeds": len(cell.seeds), "error": _rounded(error),
                "difference": _rounded(cell.difference), "verdict": cell.verdict,
            }
        )  # fmt: skip
    return lines


def _rounded(value: float | None) -> float | None:
    return round(value, PRECISE) if value is not None and math.isfinite(value) else None
