"""A sweep on the terminal: its plan, and how it goes on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signfed.app.engines.launch import TRACEBACK
from signfed.app.engines.progress import Counting
from signfed.app.experiments.cells import Cell, cells_of
from signfed.app.experiments.manifest import Load, Manifest, load_of
from signfed.app.experiments.neighbours import beside
from signfed.app.experiments.plan import Clock, Step, place_of, plan
from signfed.app.experiments.runner import Runner
from signfed.app.experiments.speed import seconds_per_round
from signfed.app.experiments.sweep import Sweep
from signfed.app.experiments.work import KeptData, Outcome
from signfed.app.runs.folder import ENDED

TRIALS = 4  # kinds of cells that are tried for an estimate
DAY = 86_400


class ShownSweep:
    """Show a sweep as a bar, with those that failed and the estimated end: a `Watch`.

    Parameters
    ----------
    console : Console
        Where.
    folder : Path
        The sweep's.

    Attributes
    ----------
    failed : int
        Cells that failed for good.
    """

    def __init__(self, console: Console, folder: Path) -> None:
        self._console, self._folder, self.failed = console, folder, 0
        self._progress = Counting(console)
        self._bar = self._progress.add_task("cells", total=None, news="")
        self._left = Counter[Load]()
        self._clock: Clock | None = None
        self._manifest: Manifest | None = None
        self._slots = 1

    def __enter__(self) -> ShownSweep:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def planned(self, steps: Sequence[Step], slots: int, manifest: Manifest) -> None:
        self._console.print(f"sweep folder {self._folder}", soft_wrap=True, highlight=False)
        for other, count in Counter(step.source for step in steps if step.source).items():
            copied = f"runs copied: {count}, from {other}"
            self._console.print(copied, soft_wrap=True, highlight=False)
        self._left = Counter(load_of(step.cell.config) for step in steps if step.runs)
        self._clock, self._manifest, self._slots = Clock(manifest), manifest, slots
        done = len(steps) - self._left.total()
        self._progress.update(self._bar, total=len(steps), completed=done, news=self._news())

    def ended(self, cell: Cell, outcome: Outcome, again: bool) -> None:
        if outcome.status not in ENDED:
            what = "failed, is tried again" if again else "failed"
            self._console.print(
                f"[red]{what}:[/red] {escape(cell.label)}: {escape(outcome.error)}",
                soft_wrap=True, highlight=False,
            )  # fmt: skip
            if not again:
                self.failed += 1
                file = place_of(self._folder, cell) / TRACEBACK
                self._console.print(f"    {file}", soft_wrap=True, highlight=False)
        if not again:
            self._left[load_of(cell.config)] -= 1
            if self._clock and self._manifest:
                self._clock.ran(self._manifest.cells.get(cell.id, {}))
            self._progress.advance(self._bar)
        self._progress.update(self._bar, news=self._news())
        self._progress.to_log()

    def wrote(self, remarks: str) -> None:
        if remarks:
            self._console.print(remarks, style="yellow", soft_wrap=True, markup=False)

    def _news(self) -> str:
        failed = f"{self.failed} failed  " if self.failed else ""
        left = self._clock.total(self._left, self._slots) if self._clock else None
        if not left:
            return failed
        return f"{failed}ends about {clock_time(datetime.now(), left)}"


def clock_time(now: datetime, seconds: float) -> str:
    """Return the time of day in so many seconds, with its date where that is a day and more.

    Parameters
    ----------
    now : datetime
    seconds : float

    Examples
    --------
    >>> clock_time(datetime(2026, 11, 28, 9, 30), 600), clock_time(datetime(2026, 11, 28), 3e6)
    ('09:40:00', '1 January 2027, 17:20')
    """
    then = now + timedelta(seconds=seconds)
    return f"{then:%H:%M:%S}" if seconds < DAY else f"{then.day} {then:%B %Y, %H:%M}"


def print_plan(
    console: Console,
    sweep: Sweep,
    folder: Path,
    runner: Runner,
    declared: float | None = None,
    neighbours: bool = False,
) -> None:
    """Print what of a sweep would run, why, and how long it would take.

    Parameters
    ----------
    console : Console
        Where.
    sweep : Sweep
    folder : Path
        The sweep's, which may not be there yet.
    runner : Runner
        Where it would run.
    declared : float, optional
        Minutes that the setting of an experiment takes on 2 cores, as its file says: shown where
        nothing like it was ever timed.
    neighbours : bool
        As for `run_sweep`.

    Raises
    ------
    ConfigError
        When a cell cannot run.
    """
    load = KeptData()
    cells = cells_of(sweep, load=None if runner.elsewhere else load)
    manifest = Manifest(folder)
    others = beside(folder) if neighbours else {}
    steps = plan(cells, folder, manifest, others)
    to_run = [step.cell for step in steps if step.runs]
    clock = Clock(manifest)
    for step in steps:
        if step.source:
            clock.ran(others[step.source].cells[step.cell.id])
    if sweep.engine == "local" and not runner.elsewhere:
        _try_unknown(to_run, clock, load)
    table = Table("", "seconds", "why", "cell", title=f"{sweep.name}: {folder}")
    for step in steps:
        seconds = clock.seconds(load_of(step.cell.config)) if step.runs else None
        shown = "" if seconds is None else f"{seconds:.1f}"
        table.add_row("run" if step.runs else "", shown, escape(step.why), escape(step.cell.label))
    console.print(table)
    reasons = Counter(re.split(":|;| after", step.why)[0] for step in steps)
    console.print(", ".join(f"{count} {why}" for why, count in reasons.items()), highlight=False)
    console.print(_length(clock, to_run, runner, declared), highlight=False)


def _length(clock: Clock, cells: Sequence[Cell], runner: Runner, declared: float | None) -> str:
    """How long cells take; a cluster is not asked how large it is."""
    if not cells:
        return "nothing to run"
    slots = 1 if runner.elsewhere else runner.slots
    total = clock.total(Counter(load_of(cell.config) for cell in cells), slots)
    if total is None:
        never = f"{len(cells)} to run; no like cell was ever timed"
        whole = f"about {declared:g} min on 2 cores for the whole setting, as the item declares"
        return never if declared is None else f"{never}: {whole}"
    length = str(timedelta(seconds=round(total)))
    return f"{len(cells)} to run: about {length} with {slots} at a time"


def _try_unknown(cells: Sequence[Cell], clock: Clock, load: KeptData) -> None:
    """Time a few rounds of the first cells of which nothing is known, new networks first."""
    for _ in range(TRIALS):
        unknown = [cell for cell in cells if not clock.knows(load_of(cell.config))]
        if not unknown:
            return
        new = [cell for cell in unknown if clock.seconds(load_of(cell.config)) is None]
        cell = (new or unknown)[0]
        clock.add(load_of(cell.config), seconds_per_round(cell, load))
