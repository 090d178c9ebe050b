"""What a report is made of: the runs, sweeps and reproductions that folders hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.report.names import names_of
from signfed.app.report.reading import Run, is_run
from signfed.app.report.rows import PLACES, grouped
from signfed.app.runs.json_files import read_json
from signfed.app.runs.sweeps import SWEEP, CellFolder, Row, SweepFolder

VERDICTS = "verdicts.json"
FIRST = ("strategy", "pre-aggregation", "attack", "num-byzantine")  # by which one compares
LAST = (  # what leaves a result as it is, or nearly; the folder tells only what no key does
    "download", "device", "gradients", "evaluate-every", "checkpoint-every", "round-timeout",
    "node-timeout", "roster", "sweep",
)  # fmt: skip
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
    """Return what lies in these folders, each once; runs of a sweep's cells belong to it.

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
    found: dict[str, dict[Path, Path]] = {"run": {}, "sweep": {}, "claims": {}}
    for path in paths:
        below = list(_walk(path, DEEPEST))
        if not below:
            raise ConfigError(
                f"{path}: expected a run folder (with config.json or rounds.jsonl), a sweep's "
                "(with sweep.json), a reproduction's (with verdicts.json), or a folder of them"
            )
        for kind, at in below:
            found[kind].setdefault(at.resolve(), at)
    sweeps = found["sweep"]
    cells = {sweep / "cells" for sweep in sweeps}
    return Sources(
        [Run(at) for place, at in found["run"].items() if place.parent not in cells],
        [SweepFolder(at) for at in sweeps.values()],
        list(found["claims"].values()),
    )


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


def rows_of(sources: Sources) -> tuple[list[Row], list[Row], list[str]]:
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
    several = len(sources.sweeps) > 1 or bool(sources.sweeps and sources.runs)
    folders = names_of(run.path for run in sources.runs)
    homes = [sweep.path for sweep in sources.sweeps] + [run.path.parent for run in sources.runs]
    names = names_of(homes) if several else {}
    found: list[tuple[Row, Mapping[str, Any], Run]] = []  # where it belongs, its config, itself
    varying: dict[str, None] = {}  # keys that tell the cells of a sweep apart
    for sweep in sources.sweeps:
        of = {"sweep": names[sweep.path]} if several else {}
        cells = sweep.cells
        configs = _configs(cells) if several else [cell.keys for cell in cells]
        for cell, config in zip(cells, configs, strict=True):
            found.append(({**of, "status": "missing"}, config, Run(cell.path)))
            varying |= dict.fromkeys(cell.keys)
    for run in sources.runs:
        of = {"sweep": names[run.path.parent]} if several else {}
        found.append(({**of, "folder": folders[run.path], "status": run.status}, run.config, run))
    differing = _differing([config for _, config, _ in found])
    asked = dict.fromkeys([*varying, *differing, "seed"])
    rows: list[Row] = []
    rounds: list[Row] = []
    for of, config, run in found:
        row = {**{key: config[key] for key in asked if key in config}, **of, **run.summary}
        rows.append(row)
        own = {key: value for key, value in row.items() if key in (*asked, *of)}
        rounds += [{**own, **line} for line in run.rounds]
    return rows, rounds, _telling(rows, [*differing, *(["sweep"] if several else [])])


def _configs(cells: Sequence[CellFolder]) -> list[Mapping[str, Any]]:
    """Of each cell the whole config; of one that is missing what all others have, and its keys."""
    known = [Run(cell.path).config for cell in cells]
    having = [config for config in known if config]
    varying = {key for cell in cells for key in cell.keys}
    same = {
        key: value
        for key, value in (having[0] if having else {}).items()
        if key not in varying and all(config.get(key) == value for config in having)
    }
    return [config or {**same, **cell.keys} for cell, config in zip(cells, known, strict=True)]


def _differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for config in configs for key in config if key not in PLACES)
    return [key for key in keys if len({repr(config.get(key)) for config in configs}) > 1]


def _telling(rows: Sequence[Row], keys: Sequence[str]) -> list[str]:
    """The columns that tell the cells apart: `FIRST`, all others, `LAST`.

    A column that follows from those before it (a learning rate of each rule's own) tells nothing,
    but for the attack: two rules under an attack each are not compared by the rule.
    """
    order = {key: place for place, key in enumerate(FIRST)}
    order |= dict.fromkeys(LAST, len(FIRST) + 1)
    found: list[str] = []
    for key in sorted(keys, key=lambda key: order.get(key, len(FIRST))):
        tells = len(grouped(rows, [*found, key])) > len(grouped(rows, found))
        if key == "attack" or (tells and key != "seed"):
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
    found = read_json(file)
    if not all(isinstance(record, dict) for record in found.values()):
        raise ConfigError(f"{file}: expected what `signfed reproduce` wrote, a record a setting")
    return found
