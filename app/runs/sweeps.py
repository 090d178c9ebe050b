"""A sweep on disk: what was asked for, its cells, each a run folder, and what they add up to.

```
DIR/sweep.json       name, engine, the cells in their order: id and keys
DIR/manifest.json    of each cell its seconds, attempts, code and place: commit, versions, hardware
DIR/manifest.jsonl   changes of it since it was saved as a whole; not there after the end
DIR/cells/ID/        the run folder of a cell
DIR/results.csv, DIR/results.parquet     `rows`, without what differs from run to run
```
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.runs.json_files import read_json
from signfed.app.runs.traffic import with_megabytes

Row = dict[str, Any]
SWEEP = "sweep.json"


@dataclass(frozen=True)
class CellFolder:
    """One cell of a sweep.

    Attributes
    ----------
    id : str
        Hash of its configuration and of the code that it runs.
    keys : mapping
        What tells it from the other cells: run-config keys that vary, "seed" among them.
    path : Path
        Its run folder, which may not be there yet.
    """

    id: str
    keys: Mapping[str, Any]
    path: Path


@dataclass(frozen=True)
class SweepFolder:
    """Read a sweep's folder; nothing is ever written here.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def description(self) -> dict[str, Any]:
        """Return what `sweep.json` holds."""
        return read_json(self.path / SWEEP)

    @property
    def cells(self) -> list[CellFolder]:
        """Return the cells in the order of the sweep."""
        try:
            return [
                CellFolder(cell["id"], dict(cell["keys"]), self.path / "cells" / cell["id"])
                for cell in self.description["cells"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{self.path / SWEEP}: expected a sweep; {error!r}") from error

    def rows(self) -> list[Row]:
        """Return one row a cell: its keys, then its summary; "missing" is a status, too."""
        return [
            {**cell.keys, **({"status": "missing"} | read_summary(cell.path))}
            for cell in self.cells
        ]

    def rounds(self, of: Collection[str] = ()) -> list[Row]:
        """Return one row for each round of each cell: its keys, status, line, what was sent so far.

        Parameters
        ----------
        of : collection of str
            The statuses of the cells that are read; empty for all.
        """
        return [
            {**cell.keys, "status": status, **line}
            for cell in self.cells
            if (status := read_summary(cell.path).get("status", "missing")) in of or not of
            for line in with_megabytes(read_rounds(cell.path))
        ]
