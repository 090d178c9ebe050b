"""Folders in, a report out: reads, never runs anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from signfed.app.report import many_runs, one_run
from signfed.app.report.reading import Run
from signfed.app.report.sources import Sources, find
from signfed.app.report.writing import place_of, write


def make(paths: Sequence[Path], out: Path | None = None) -> tuple[Path, Sources]:
    """Write the report of what these folders hold.

    Parameters
    ----------
    paths : sequence of Path
        Run folders, sweeps, reproductions, or folders of them.
    out : Path, optional
        The page, or the folder where it is made; by default the folder that is given, or the one
        in which the command was started where several are.

    Returns
    -------
    Path, Sources
        The page, and what it was made of.

    Raises
    ------
    ConfigError
        When a folder holds nothing to report, or nothing can be written.
    """
    found = find(paths)
    home = paths[0] if len(paths) == 1 else Path()
    page = place_of(out, home)
    if len(found.runs) == 1 and not found.sweeps and not found.claims:
        write(one_run.report_of(found.runs[0]), page)
    else:
        write(many_runs.report_of(found, _title(paths, found)), page)
    return page, found


def _title(paths: Sequence[Path], found: Sources) -> str:
    if len(found.sweeps) == 1 and not found.runs:
        return str(found.sweeps[0].description.get("name", found.sweeps[0].path.name))
    return ", ".join(path.resolve().name for path in paths)


def report(path: str | Path) -> Path:
    """Write the report of one run into its folder: report.html, and pictures and tables beside it.

    Parameters
    ----------
    path : path
        The run folder.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ConfigError
        When a package is not installed, or nothing can be written.
    """
    path = Path(path)
    page = place_of(None, path)
    write(one_run.report_of(Run(path)), page)
    return page
