"""A run as it goes on: a bar, the rounds as they are written, the last error in Flower's log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from signfed.app.runs import folder as run_folder
from signfed.app.runs.folder import RUNNING
from signfed.app.runs.summary import claimed_accuracy, score

# "torch.OutOfMemoryError: ...", "ERROR :  ray.exceptions.ActorDiedError(...)"
EXCEPTION = re.compile(r"(?:\w+ : *)?([A-Za-z_][\w.]*(?:Error|Exception)(?:[:(].*)?)$")
COLOUR = re.compile("\x1b\\[[0-9;]*m")
# Flower's own words for whatever happened: the reason is another line.
NO_REASON = re.compile("An error was encountered|Simulation Runtime crashed")
POLL = 0.2  # seconds between two looks into the run folder
FLOWER_CHECK = 30.0  # seconds between two questions to Flower, each of which starts a process
LOG_EVERY = 60.0  # seconds between two lines of a log


class Counting(Progress):
    """Bars that count, each with the time and its field `news`; in a log a line a minute.

    Parameters
    ----------
    console : Console
        Where they are shown: a terminal, or the log of a batch job.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn("{task.fields[news]}"), console=console,
        )  # fmt: skip
        self._logged = time.monotonic()

    def to_log(self) -> None:
        """Print the bars as lines where nothing redraws them, if none was for a minute."""
        redrawn = self.console.is_terminal or self.console.is_jupyter
        if not redrawn and time.monotonic() - self._logged >= LOG_EVERY:
            self._logged = time.monotonic()
            self.console.print(self.get_renderable())


@contextmanager
def rounds_bar(num_rounds: int, console: Console) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Show a bar that moves with each record, with the last score and the updates dropped so far.

    Parameters
    ----------
    num_rounds : int
        Rounds of the run.
    console : Console
        Where the bar is shown.

    Yields
    ------
    callable
        Takes the record of a round, a line of `rounds.jsonl`.
    """
    dropped, scored = 0, ""
    with Counting(console) as progress:
        bar = progress.add_task("starting", total=num_rounds, news="")

        def show(record: Mapping[str, Any]) -> None:
            nonlocal dropped, scored
            dropped += sum(map(len, record["dropped"].values()))
            if "test_loss" in record or claimed_accuracy(record) is not None:
                scored = score(record)
            news = scored + (f"  {dropped} updates dropped" if dropped else "")
            progress.update(bar, description="round", completed=record["round"], news=news)
            progress.to_log()

        yield show


def follow(path: Path, num_rounds: int, flower_status: Callable[[], str], console: Console) -> None:
    """Show the rounds as they are written, until the run is over.

    Parameters
    ----------
    path : Path
        The run folder.
    num_rounds : int
        Rounds of the run.
    flower_status : callable
        Asks Flower, which takes seconds: the run may end without a word in its folder.
    console : Console
        Where the bar is shown.
    """
    reader, asked = run_folder.RoundsReader(path), time.monotonic()
    with rounds_bar(num_rounds, console) as show:
        while True:
            over = run_folder.read_summary(path).get("status", RUNNING) != RUNNING
            for record in reader.new():
                show(record)
            if over:
                return
            if time.monotonic() - asked > FLOWER_CHECK:
                asked = time.monotonic()
                if flower_status().startswith("finished"):
                    return
            time.sleep(POLL)


def last_error(log: Path) -> str:
    """Return the last line of a log that names an exception; empty if none does."""
    with suppress(OSError):
        lines = COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace")).splitlines()
        found = [match[1] for line in lines if (match := EXCEPTION.match(line.strip()))]
        return next((line for line in reversed(found) if not NO_REASON.search(line)), "")
    return ""
