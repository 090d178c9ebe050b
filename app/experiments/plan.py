"""What of a sweep would run, and why; how long it would take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signfed.app.experiments.cells import Cell
from signfed.app.experiments.manifest import Manifest, load_of
from signfed.app.runs.checkpoint import list_checkpoints
from signfed.app.runs.folder import DIVERGED, FAILED, FINISHED, read_summary

DONE = (FINISHED, DIVERGED)  # a model that an attack drove to infinity is a result
SHOWN = 3  # changed modules that are named


@dataclass(frozen=True, eq=False)
class Step:
    """A cell, and what is to be done about it.

    Attributes
    ----------
    cell : Cell
    runs : bool
        Whether it has to run.
    why : str
        "done", "new", "its code changed: ...", "failed before", "cut off after round 50".
    """

    cell: Cell
    runs: bool
    why: str


def place_of(folder: Path, cell: Cell) -> Path:
    """Return where a cell's run folder lies once it has ended.

    Parameters
    ----------
    folder : Path
        The sweep's.
    cell : Cell
    """
    return folder / "cells" / cell.id


def draft_of(folder: Path, cell: Cell) -> Path:
    """Return where a cell's run folder lies while it runs.

    Parameters
    ----------
    folder : Path
        The sweep's.
    cell : Cell
    """
    return folder / "under-way" / cell.id


def plan(cells: Iterable[Cell], folder: Path, manifest: Manifest) -> list[Step]:
    """Say of each cell whether it has to run, and why.

    Parameters
    ----------
    cells : iterable of Cell
    folder : Path
        The sweep's, which may not be there yet.
    manifest : Manifest
        Of that folder.

    Returns
    -------
    list of Step
    """
    return [Step(cell, *_verdict(cell, folder, manifest)) for cell in cells]


def _verdict(cell: Cell, folder: Path, manifest: Manifest) -> tuple[bool, str]:
    status = read_summary(place_of(folder, cell)).get("status")
    if status in DONE:
        return False, "done"
    if status == FAILED:
        return True, "failed before"
    draft = draft_of(folder, cell)
    if (draft / "config.json").exists():
        saved = list_checkpoints(draft)
        last = saved[-1].name.removeprefix("round-").lstrip("0") if saved else ""
        return True, f"cut off after round {last}" if last else "cut off; no checkpoint yet"
    before = [i for i, known in manifest.cells.items() if known["settings"] == cell.settings]
    others = [i for i in before if i != cell.id]
    if others:
        return True, f"its code changed: {changed(manifest.code_of(others[-1]), cell.code)}"
    return True, "new"


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the names of the modules in which two versions of a cell's code differ.

    Parameters
    ----------
    before, now : mapping
        Module -> digest.

    Examples
    --------
    >>> changed({"a": "1", "b": "1"}, {"a": "2", "b": "1", "c": "1"})
    'a, c'
    """
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


class Clock:
    """How long cells take, from those that are done.

    Parameters
    ----------
    manifest : Manifest
        Of the sweep; what is added to it later counts.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._trials: list[tuple[Mapping[str, Any], float]] = []

    def add(self, load: Mapping[str, Any], seconds_per_round: float) -> None:
        """Count a short trial.

        Parameters
        ----------
        load : mapping
            Of the run, as `load_of` returns it.
        seconds_per_round : float
        """
        self._trials.append((load, seconds_per_round))

    def seconds(self, cell: Cell) -> float | None:
        """Return the seconds that a cell will take; None where no like cell was seen.

        Those count that are most alike; task and model have to be the same.

        Parameters
        ----------
        cell : Cell
        """
        load = load_of(cell.config)
        seen = [
            (known["load"], known["seconds"] / known["load"]["rounds"])
            for known in self._manifest.cells.values()
            if known.get("seconds") and known["status"] == FINISHED
        ]
        fitting = [
            (sum(load[key] == other.get(key) for key in load), per_round)
            for other, per_round in [*seen, *self._trials]
            if all(load[key] == other.get(key) for key in ("task", "model"))
        ]
        if not fitting:
            return None
        most = max(alike for alike, _ in fitting)
        best = [per_round for alike, per_round in fitting if alike == most]
        return sum(best) / len(best) * load["rounds"]

    def total(self, cells: Sequence[Cell], slots: int) -> float | None:
        """Return the seconds that cells take on so many slots; None where one is unknown.

        Parameters
        ----------
        cells : sequence of Cell
        slots : int
            Cells that run at a time.
        """
        each = [self.seconds(cell) for cell in cells]
        known = [seconds for seconds in each if seconds is not None]
        if len(known) < len(each):
            return None
        return max([*known, sum(known) / slots]) if known else 0.0
