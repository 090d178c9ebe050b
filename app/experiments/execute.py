"""A sweep carried out: what is missing is run, what died is retried, and the results are written.

A cell runs in `under-way/ID` and is moved to `cells/ID` when it has ended, so that whatever lies in
`cells` is whole.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from signfed.app.engines.launch import TRACEBACK
from signfed.app.errors import ConfigError
from signfed.app.experiments.cells import Cell, cells_of
from signfed.app.experiments.manifest import Manifest, surroundings
from signfed.app.experiments.neighbours import beside, take_over
from signfed.app.experiments.plan import draft_of, place_of, plan
from signfed.app.experiments.runner import Runner, runner_for
from signfed.app.experiments.sweep import Sweep
from signfed.app.experiments.tables import write_results
from signfed.app.experiments.watch import Unwatched, Watch
from signfed.app.experiments.work import KeptData, Outcome, Work
from signfed.app.runs import folder as run_folder
from signfed.app.runs.claim import Writer, existing_folder
from signfed.app.runs.folder import ENDED, FAILED, read_summary
from signfed.app.runs.json_files import write_json
from signfed.app.runs.sweeps import SweepFolder
from signfed.strategies.ops.threads import cores


def run_sweep(
    sweep: Sweep,
    folder: str | Path,
    *,
    processes: int | None = None,
    retries: int = 1,
    runner: Runner | None = None,
    watch: Watch | None = None,
    neighbours: bool = False,
) -> SweepFolder:
    """Run what is missing of a sweep, and write its results.

    Parameters
    ----------
    sweep : Sweep
    folder : path
        The sweep's: a new or empty one, or the one of an earlier call, which is gone on with.
    processes : int, optional
        Cells that run at a time, each in a process of its own; 0 runs them in this process. As many
        as there are cores by default. Flower's runs go one after the other.
    retries : int
        Times that a cell that failed is tried again.
    runner : Runner, optional
        Where the cells run, instead of processes of this machine.
    watch : Watch, optional
        Who hears how it goes on.
    neighbours : bool
        Whether a cell that a sweep in the folder around has run is copied from there.

    Returns
    -------
    SweepFolder
        A cell that failed has status "failed" there, with the traceback in its folder.

    Raises
    ------
    ConfigError
        When a cell cannot run, or the folder is not this sweep's to use. Nothing was started.

    Examples
    --------
    >>> import tempfile
    >>> sweep = Sweep("example", {"task": "quadratic", "num-rounds": 2}, {"lr": [0.1, 0.2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = run_sweep(sweep, folder, processes=0).rows()
    >>> [(row["lr"], row["status"], row["rounds"]) for row in rows]
    [(0.1, 'finished', 2), (0.2, 'finished', 2)]
    """
    asked, watch = Path(folder).expanduser(), watch or Unwatched()
    folder = asked.resolve()
    runner = runner or runner_for(sweep.engine, processes)
    cells = cells_of(sweep, load=None if runner.elsewhere else KeptData())
    with closing(runner):
        slots = runner.slots  # a cluster that does not answer is refused before a folder is made
        writer = claimed(folder)
        try:
            manifest = Manifest(folder)
            manifest.save()
            write_json(folder / "sweep.json", described(sweep, cells))
            others = beside(asked) if neighbours else {}
            steps = plan(cells, folder, manifest, others)
            _forget_stale(folder, [s.cell for s in steps if s.runs or s.source], manifest)
            steps = [take_over(step, folder, manifest, others) for step in steps]
            waiting = [step.cell for step in steps if step.runs]
            try:
                watch.planned(steps, slots, manifest)
                _run(waiting, folder, sweep.engine, runner, manifest, retries, watch)
            finally:
                runner.close()  # before anyone else may write here
                with suppress(OSError):  # what was cut off stays
                    (folder / "under-way").rmdir()
                manifest.save()
                found = SweepFolder(folder)
                remarks = write_results(found, sweep.choose)
            watch.wrote(remarks)
        finally:
            writer.release()
    return found


def claimed(folder: Path) -> Writer:
    """Take the folder of a sweep; no second process may.

    Parameters
    ----------
    folder : Path
        Which is made.

    Returns
    -------
    Writer
        To be released.

    Raises
    ------
    ConfigError
        When it is no sweep's folder, or another process has it.
    """
    existing_folder(folder)
    if any(folder.iterdir()) and not (folder / "sweep.json").exists():
        raise ConfigError(f"--out: expected a new folder or a sweep's; {folder} has other files")
    try:
        return Writer(folder, patience=0)
    except ConfigError:
        raise ConfigError(
            f"--out: expected a folder that no other process writes to; a sweep is under way in "
            f"{folder}"
        ) from None


def described(sweep: Sweep, cells: Sequence[Cell]) -> dict[str, object]:
    """Return what `sweep.json` holds.

    Parameters
    ----------
    sweep : Sweep
    cells : sequence of Cell
        Its cells.
    """
    listed = [{"id": cell.id, "keys": dict(cell.keys)} for cell in cells]
    return {"name": sweep.name, "engine": sweep.engine, "cells": listed}


def _forget_stale(folder: Path, waiting: Sequence[Cell], manifest: Manifest) -> None:
    """Remove what failed before, and half runs by other code of what is asked for.

    Half runs that nobody asks for now stay: another setting of the same folder goes on with them.
    """
    ids, settings = {cell.id for cell in waiting}, {cell.settings for cell in waiting}
    for draft in (folder / "under-way").glob("*"):
        known = manifest.cells.get(draft.name)
        if draft.name not in ids and (known is None or known["settings"] in settings):
            shutil.rmtree(draft, ignore_errors=True)
    for cell in waiting:
        shutil.rmtree(place_of(folder, cell), ignore_errors=True)


def _run(
    cells: Sequence[Cell],
    folder: Path,
    engine: str,
    runner: Runner,
    manifest: Manifest,
    retries: int,
    watch: Watch,
) -> None:
    waiting, under_way = deque(cells), dict[str, Cell]()
    tried = dict.fromkeys((cell.id for cell in cells), 0)
    # A cluster reserves one core a cell; how many its machines have is not known here.
    at_once = max(1, min(runner.slots, len(cells)))
    threads = 1 if runner.elsewhere else max(1, cores() // at_once)
    while waiting or under_way:
        while waiting and len(under_way) < runner.slots:
            cell = waiting.popleft()
            under_way[cell.id] = cell
            tried[cell.id] += 1
            manifest.begin(cell)
            draft, sources, texts = str(draft_of(folder, cell)), cell.own_sources, cell.texts
            runner.start(Work(cell.id, cell.values, draft, engine, threads, sources, texts))
        for work, outcome in runner.wait():
            cell = under_way.pop(work.id)
            again = outcome.status not in ENDED and tried[cell.id] <= retries
            if again:
                waiting.append(cell)  # it goes on from its last checkpoint, where it has one
            else:
                seconds = read_summary(Path(work.folder)).get("seconds")
                outcome = _put_away(cell, folder, outcome)
                ran_on = outcome.ran_on if runner.elsewhere else surroundings()
                manifest.end(cell, outcome.status, seconds, ran_on)
            watch.ended(cell, outcome, again)


def _put_away(cell: Cell, folder: Path, outcome: Outcome) -> Outcome:
    """Move a run that has ended to its place, without its checkpoints."""
    draft, place = draft_of(folder, cell), place_of(folder, cell)
    if outcome.status not in ENDED:
        outcome = replace(outcome, status=FAILED, error=outcome.error or "the run ended early")
        run_folder.set_status(draft, FAILED, outcome.error)
        with suppress(FileExistsError), (draft / TRACEBACK).open("x", encoding="utf-8") as file:
            file.write(outcome.error + "\n")
    shutil.rmtree(draft / "checkpoints", ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    draft.replace(place)
    return outcome
