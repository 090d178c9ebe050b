"""What a report is made of: the runs, sweeps and reproductions that folders hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.report.reading import Run, is_run
from signfed.app.report.rows import PLACES, grouped
from signfed.app.runs.sweeps import Row, SweepFolder

SWEEP, VERDICTS = "sweep.json", "verdicts.json"
DEEPEST = 4  # folders below the one that is given


@dataclass(frozen=True)
class Sources:
    """What was found.

    Attributes
    ----------
    runs : list of Run
    sweeps : list of SweepFolder
    claims : list of Path
        Folders of reproductions.
    """

    runs: list[Run] = field(default_factory=list)
    sweeps: list[SweepFolder] = field(default_factory=list)
    claims: list[Path] = field(default_factory=list)


def find(paths: Sequence[Path]) -> Sources:
    """Return what lies in these folders; runs of a sweep's cells belong to it.

    Parameters
    ----------
    paths : sequence of Path
        Run folders, sweeps, reproductions, or folders of them.

    Returns
    -------
    Sources

    Raises
    ------
    ConfigError
        When a folder holds none of them.
    """
    found = Sources()
    for path in paths:
        before = len(found.runs) + len(found.sweeps) + len(found.claims)
        for kind, at in _walk(path, DEEPEST):
            if kind == "sweep":
                found.sweeps.append(SweepFolder(at))
            elif kind == "claims":
                found.claims.append(at)
            else:
                found.runs.append(Run(at))
        if len(found.runs) + len(found.sweeps) + len(found.claims) == before:
            raise ConfigError(
                f"{path}: expected a run folder (with config.json or rounds.jsonl), a sweep's "
                "(with sweep.json), a reproduction's (with verdicts.json), or a folder of them"
            )
    return found


def _walk(path: Path, depth: int) -> Iterator[tuple[str, Path]]:
    if (path / SWEEP).exists():
        yield "sweep", path
        return
    if is_run(path):
        yield "run", path
        return
    if (path / VERDICTS).exists():
        yield "claims", path
    if depth and path.is_dir():
        for below in sorted(each for each in path.iterdir() if each.is_dir()):
            yield from _walk(below, depth - 1)


def cells_of(sources: Sources) -> tuple[list[Row], list[Row], list[str]]:
    """Return all cells and all runs as rows, and what tells them apart.

    Parameters
    ----------
    sources : Sources
        Sweeps and runs.

    Returns
    -------
    tuple of list of dict, list of dict, list of str
        One row a cell; one a round; the columns that differ, without "seed".

    Raises
    ------
    ConfigError
        When a sweep's file cannot be read.
    """
    rows: list[Row] = []
    rounds: list[Row] = []
    keys: dict[str, None] = {}
    several = len(sources.sweeps) > 1 or bool(sources.sweeps and sources.runs)
    for sweep in sources.sweeps:
        of = {"sweep": sweep.path.name} if several else {}
        try:
            cells = sweep.cells
            rows += [{**of, **row} for row in sweep.rows()]
            rounds += [{**of, **line} for line in sweep.rounds()]
        except (ValueError, KeyError) as error:
            raise ConfigError(f"{sweep.path / SWEEP}: expected a sweep; {error!r}") from error
        keys |= dict.fromkeys(key for cell in cells for key in (*of, *cell.keys))
    configs = [run.config for run in sources.runs]
    differing = _differing(configs)
    for run in sources.runs:
        own = {key: run.config.get(key) for key in dict.fromkeys([*differing, "seed"])}
        own |= {"sweep": run.path.parent.name} if several else {}
        rows.append({**own, "folder": run.path.name, "status": run.status, **run.summary})
        rounds += [{**own, "folder": run.path.name, **line} for line in run.rounds]
    keys |= dict.fromkeys([*(["sweep"] if several else []), *differing])
    return rows, rounds, _telling(rows, list(keys))


def _differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for config in configs for key in config if key not in PLACES)
    return [key for key in keys if len({repr(config.get(key)) for config in configs}) > 1]


def _telling(rows: Sequence[Row], keys: Sequence[str]) -> list[str]:
    """The columns that tell the cells apart, first those by which one compares.

    A column that follows from those before it (a learning rate of each rule's own) tells nothing.
    """
    first = ["strategy", "pre-aggregation", "attack", "num-byzantine"]
    found: list[str] = []
    for key in sorted(keys, key=lambda key: first.index(key) if key in first else len(first)):
        if key != "seed" and len(grouped(rows, [*found, key])) > len(grouped(rows, found)):
            found.append(key)
    return found


def claims_of(place: Path) -> dict[str, dict[str, Any]]:
    """Return what a reproduction found: setting -> record.

    Parameters
    ----------
    place : Path
        Its folder.

    Raises
    ------
    ConfigError
        When verdicts.json cannot be read.
    """
    file = place / VERDICTS
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"{file}: expected what `signfed reproduce` wrote; {error}") from error
