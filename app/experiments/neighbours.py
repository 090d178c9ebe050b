"""What other sweeps have run: copied from their folders, not run again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from signfed.app.experiments.manifest import Manifest
from signfed.app.experiments.plan import Step, draft_of, place_of


def beside(folder: Path) -> dict[Path, Manifest]:
    """Find the other sweeps in the folder around a sweep's.

    Parameters
    ----------
    folder : Path
        The sweep's, which may not be there yet; a link is beside what lies beside the link.

    Returns
    -------
    dict
        Folder -> its manifest, by name.
    """
    around, itself = folder.expanduser().absolute().parent, folder.expanduser().resolve()
    others = sorted(file.parent for file in around.glob("*/sweep.json"))
    return {other: Manifest(other) for other in others if other.resolve() != itself}


def take_over(
    step: Step, folder: Path, manifest: Manifest, others: Mapping[Path, Manifest]
) -> Step:
    """Copy a run from the folder of another sweep, and write it down as it is known there.

    Parameters
    ----------
    step : Step
        With a source, or any other, which is returned as it is.
    folder : Path
        The sweep's, in which nothing of the cell is left.
    manifest : Manifest
        Of that folder.
    others : mapping
        As `beside` returned it.

    Returns
    -------
    Step
        One that runs, where the copy failed.
    """
    if step.source is None:
        return step
    draft, place = draft_of(folder, step.cell), place_of(folder, step.cell)
    copy = draft.with_suffix(".copy")
    try:
        shutil.copytree(place_of(step.source, step.cell), copy)
    except OSError as error:  # of a folder that was removed meanwhile, say
        shutil.rmtree(copy, ignore_errors=True)
        why = f"not copied from {step.source.name}: {error}"
        return replace(step, runs=True, why=why, source=None)
    manifest.take(step.cell, others[step.source])
    shutil.rmtree(draft, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    copy.replace(place)
    return step
