"""What of a sweep would run, and why; how long it would take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from signfed.app.experiments.cells import Cell
from signfed.app.experiments.manifest import Load, Manifest
from signfed.app.runs.checkpoint import list_checkpoints
from signfed.app.runs.folder import ENDED, FAILED, FINISHED, read_summary

SHOWN = 3  # changed modules that are named
# Of two loads: how many of their fields are alike, from the first; those of one network on one
# device with as many samples, or else in proportion to the samples.
KIND, NETWORK = 5, 4
NOBODY: Mapping[Path, Manifest] = MappingProxyType({})
LIKENESS = range(len(Load._fields), KIND - 1, -1)


@dataclass(frozen=True, eq=False)
class Step:
    """A cell, and what is to be done about it.

    Attributes
    ----------
    cell : Cell
    runs : bool
        Whether it has to run.
    why : str
        "done", "done in fd-fig1c", "new", "its code changed: ...", "failed before", "cut off after
        round 50".
    source : Path, optional
        The folder of another sweep, which has run it.
    """

    cell: Cell
    runs: bool
    why: str
    source: Path | None = None


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


def plan(
    cells: Iterable[Cell],
    folder: Path,
    manifest: Manifest,
    others: Mapping[Path, Manifest] = NOBODY,
) -> list[Step]:
    """Say of each cell whether it has to run, and why.

    Parameters
    ----------
    cells : iterable of Cell
    folder : Path
        The sweep's, which may not be there yet.
    manifest : Manifest
        Of that folder.
    others : mapping
        Folder of another sweep -> its manifest. What ended there does not have to run.

    Returns
    -------
    list of Step
    """
    before = {known["settings"]: cell_id for cell_id, known in manifest.cells.items()}
    return [_step(cell, folder, manifest, before, others) for cell in cells]


def _step(
    cell: Cell,
    folder: Path,
    manifest: Manifest,
    before: Mapping[str, str],
    others: Mapping[Path, Manifest],
) -> Step:
    runs, why = _verdict(cell, folder, manifest, before)
    if runs:
        for other, known in others.items():
            ended = known.cells.get(cell.id, {}).get("status") in ENDED
            if ended and _status(other, cell) in ENDED:
                return Step(cell, False, f"done in {other.name}", other)
    return Step(cell, runs, why)


def _status(folder: Path, cell: Cell) -> object:
    return read_summary(place_of(folder, cell)).get("status")


def _verdict(
    cell: Cell, folder: Path, manifest: Manifest, before: Mapping[str, str]
) -> tuple[bool, str]:
    """`before`: settings -> the last cell that had them."""
    status = _status(folder, cell)
    if status in ENDED:
        return False, "done"
    if status == FAILED:
        return True, "failed before"
    draft = draft_of(folder, cell)
    if (draft / "config.json").exists():
        saved = list_checkpoints(draft)
        last = saved[-1].name.removeprefix("round-").lstrip("0") if saved else ""
        return True, f"cut off after round {last}" if last else "cut off; no checkpoint yet"
    other = before.get(cell.settings, cell.id)
    if other != cell.id:
        return True, f"its code changed: {changed(manifest.code_of(other), cell.code)}"
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

    Those count whose loads begin alike for longest, and where no round had as many samples of the
    same network on the same device, all of that network by the sample.

    Parameters
    ----------
    manifest : Manifest
        Of the sweep, as it is now.
    """

    def __init__(self, manifest: Manifest) -> None:
        # Beginning -> seconds of all its rounds, how many there were; of a network, their samples.
        self._seen: dict[tuple[Any, ...], tuple[float, int]] = {}
        for known in manifest.cells.values():
            self.ran(known)

    def ran(self, known: Mapping[str, Any]) -> None:
        """Count a cell that is done; others are passed over.

        Parameters
        ----------
        known : mapping
            What the manifest says of it.
        """
        if known.get("seconds") and known["status"] == FINISHED:
            load = Load.read(known["load"])
            if None not in load:  # an older manifest does not say all of it
                self.add(load, known["seconds"] / load.rounds)

    def add(self, load: Load, seconds_per_round: float) -> None:
        """Count a cell, or a short trial of one.

        Parameters
        ----------
        load : Load
        seconds_per_round : float
        """
        for length in LIKENESS:
            total, count = self._seen.get(load[:length], (0.0, 0))
            self._seen[load[:length]] = total + seconds_per_round, count + 1
        total, samples = self._seen.get(load[:NETWORK], (0.0, 0))
        self._seen[load[:NETWORK]] = total + seconds_per_round, samples + load.samples

    def knows(self, load: Load) -> bool:
        """Tell whether a cell with as many samples of the same network was seen.

        Parameters
        ----------
        load : Load
            A cell's.
        """
        return load[:KIND] in self._seen

    def seconds(self, load: Load) -> float | None:
        """Return the seconds that a cell will take; None where no like cell was seen.

        Parameters
        ----------
        load : Load
            The cell's.
        """
        for length in LIKENESS:
            if found := self._seen.get(load[:length]):
                return found[0] / found[1] * load.rounds
        if found := self._seen.get(load[:NETWORK]):
            return found[0] / found[1] * load.samples * load.rounds
        return None

    def total(self, loads: Mapping[Load, int], slots: int) -> float | None:
        """Return the seconds that cells take on so many slots; None where one is unknown.

        Parameters
        ----------
        loads : mapping
            Load -> how many cells have it.
        slots : int
            Cells that run at a time.
        """
        each = {load: self.seconds(load) for load, count in loads.items() if count}
        known = {load: seconds for load, seconds in each.items() if seconds is not None}
        if len(known) < len(each):
            return None
        work = sum(seconds * loads[load] for load, seconds in known.items())
        return max([*known.values(), work / slots]) if known else 0.0
