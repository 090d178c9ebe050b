"""The results of a sweep as CSV and Parquet: nothing that differs from run to run is in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError, installed
from signfed.app.experiments.cells import written
from signfed.app.experiments.choose import chosen, left_out
from signfed.app.experiments.sweep import Choose
from signfed.app.report.tables import csv_text
from signfed.app.runs.folder import FINISHED
from signfed.app.runs.json_files import replace_text
from signfed.app.runs.sweeps import Row, SweepFolder

# Seconds differ, an error may name a path.
LEFT_OUT = ("seconds", "error")
SHOWN = 3  # settings that are named


def results(rows: Sequence[Row]) -> list[Row]:
    """Return rows that are the same whenever the sweep is run; each has every column.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell: `SweepFolder.rows`.

    Examples
    --------
    >>> results([{"lr": 0.1, "seconds": 3.2}, {"lr": 0.2, "rounds": 5}])
    [{'lr': 0.1, 'rounds': None}, {'lr': 0.2, 'rounds': 5}]
    """
    columns = dict.fromkeys(name for row in rows for name in row if name not in LEFT_OUT)
    return [{name: row.get(name) for name in columns} for row in rows]


def write_parquet(file: Path, rows: Sequence[Row]) -> None:
    """Replace a Parquet file; a column of several types becomes text.

    Parameters
    ----------
    file : Path
        Which one.
    rows : sequence of mapping
        All with the same columns.

    Raises
    ------
    ConfigError
        When pyarrow is not installed.
    """
    with installed("results.parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    names = list(rows[0]) if rows else []
    columns = {name: pa.array(_one_type([row[name] for row in rows])) for name in names}
    draft = file.with_name(f"{file.name}.tmp")
    pq.write_table(pa.table(columns), draft)
    draft.replace(file)


def write_results(found: SweepFolder, choose: Choose | None) -> str:
    """Write `results.csv` and, where pyarrow is installed, `results.parquet`; `chosen.csv`, too.

    Parameters
    ----------
    found : SweepFolder
        The sweep.
    choose : Choose or None
        Which settings are chosen.

    Returns
    -------
    str
        Why there is no Parquet file, and which settings were not compared; empty where there is
        nothing to say.
    """
    cells, says = found.rows(), []
    table = results(cells)
    replace_text(found.path / "results.csv", csv_text(table))
    if choose:
        keys = dict.fromkeys(key for cell in found.cells for key in cell.keys)
        without = left_out(choose, cells, list(keys))
        rows = chosen(choose, found.rounds(of=(FINISHED,)), list(keys), without)
        replace_text(found.path / "chosen.csv", csv_text(rows))
        if without:
            named = "; ".join(written(setting) for setting in without[:SHOWN])
            more = f"; {len(without) - SHOWN} more" if len(without) > SHOWN else ""
            says.append(f"chosen.csv: not compared, since a run did not finish: {named}{more}")
    try:
        write_parquet(found.path / "results.parquet", table)
    except ConfigError as error:
        says.append(str(error))
    return "\n".join(says)


def _one_type(values: list[Any]) -> list[Any]:
    """Whole numbers among others become floats, everything else that is mixed text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2 or kinds == {int, float}:
        return [float(v) if kinds == {int, float} and v is not None else v for v in values]
    return [None if value is None else str(value) for value in values]
