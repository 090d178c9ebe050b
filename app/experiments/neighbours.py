"""What other sweeps have run: copied from their folders, not run again."""

from __future__ import annotations

import shutil
from pathlib import Path

from signfed.app.experiments.cells import Cell
from signfed.app.experiments.manifest import Manifest
from signfed.app.experiments.plan import draft_of, place_of


def beside(folder: Path) -> dict[Path, Manifest]:
    """Find the other sweeps in the folder around a sweep's.

    Parameters
    ----------
    folder : Path
        The sweep's, which may not be there yet.

    Returns
    -------
    dict
        Folder -> its manifest, by name.
    """
    others = sorted(file.parent for file in folder.parent.glob("*/sweep.json"))
    return {other: Manifest(other) for other in others if other.name != folder.name}


def take_over(cell: Cell, source: Path, folder: Path, theirs: Manifest, manifest: Manifest) -> None:
    """Copy a run from the folder of another sweep, and write it down as it is known there.

    Parameters
    ----------
    cell : Cell
        That has ended there.
    source, folder : Path
        Of the other sweep, and of this one.
    theirs, manifest : Manifest
        Likewise.
    """
    draft, place = draft_of(folder, cell), place_of(folder, cell)
    for stale in (draft, place):  # a half run, one that failed
        shutil.rmtree(stale, ignore_errors=True)
    shutil.copytree(place_of(source, cell), draft)
    place.parent.mkdir(exist_ok=True)
    draft.replace(place)
    manifest.take(cell, theirs)
