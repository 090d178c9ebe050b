"""One cell carried out, in whatever process: a run config -> a run folder."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from signfed.app.engines import launch
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import Prepared, prepare
from signfed.app.engines.quiet import without_warnings
from signfed.app.engines.run import execute
from signfed.app.engines.signals import Interruptible
from signfed.app.errors import ConfigError
from signfed.app.experiments import modules
from signfed.app.runs.folder import FAILED, read_summary
from signfed.app.task import Dataset, Problem, Workload, find_task
from signfed.strategies.core.own import reason
from signfed.strategies.ops.threads import one_thread

_checked: set[tuple[str, str]] = set()  # modules of this process, as they are known to be


@dataclass(frozen=True)
class Work:
    """What a process gets to do.

    Attributes
    ----------
    id : str
        Of the cell.
    values : mapping
        Its run config.
    folder : str
        The run folder. One with a run in it that was cut off goes on from its last checkpoint.
    engine : {"local", "flower"}
    threads : int
        That compute gradients on a CPU.
    sources : mapping
        The user's modules that it needs, for a machine that does not have them.
    texts : mapping
        Module that it runs -> digest of its text, as it was when the sweep began.
    """

    id: str
    values: Mapping[str, Any]
    folder: str
    engine: str = "local"
    threads: int = 1
    sources: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Attributes
    ----------
    status : str
        Of its run.
    error : str
        Of one that failed.
    ran_on : mapping
        `surroundings` of the process that carried it out, where that is another machine's; empty
        where that is not known.
    """

    status: str
    error: str = ""
    ran_on: Mapping[str, Any] = field(default_factory=dict)


Ended = Sequence[tuple[Work, Outcome]]


class KeptData:
    """Make the problems of workloads, and keep the last data set for the next one."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._data: Dataset | None = None

    def __call__(self, workload: Workload) -> Problem:
        """Return the problem of a workload.

        Parameters
        ----------
        workload : Workload

        Raises
        ------
        DataMissing
            When the data are not below data_dir.
        ConfigError
            When data, model, loss and partition do not fit one another.
        """
        task, key = find_task(workload.task), (workload.task, workload.data_dir, workload.download)
        if key != self._key:
            self._key, self._data = (), None  # one at a time in memory
            self._data = task.data(workload)
            self._key = key
        return task.problem(workload, self._data)


def carry_out(work: Work, load: KeptData) -> Outcome:
    """Run a cell; what goes wrong is in its folder, and not raised.

    Parameters
    ----------
    work : Work
    load : KeptData
        Of this process.

    Returns
    -------
    Outcome

    Raises
    ------
    KeyboardInterrupt
        When a signal ends the process; the state of the run was saved.
    """
    path, error = Path(work.folder), ""
    try:
        (path / launch.TRACEBACK).unlink(missing_ok=True)  # of an earlier attempt
        check_code(work.texts)
        with Interruptible() as signals, without_warnings(), _threads(work.threads):
            if work.engine == "flower":
                _by_flower(work, path)
            else:
                with one_thread():
                    execute(
                        _prepared(work, path, load),
                        partial(local_engine, threads=work.threads),
                        on_round=lambda line: signals.between_rounds(),
                    )
    except Exception as failure:
        error = reason(failure)
        with suppress(OSError):
            path.mkdir(parents=True, exist_ok=True)
            (path / launch.TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
    return Outcome(read_summary(path).get("status", FAILED) if path.exists() else FAILED, error)


@contextmanager
def _threads(limit: int) -> Iterator[None]:
    """At most so many for each library; then as before, in threads that start later, too."""
    before = torch.get_num_threads()
    try:
        with threadpool_limits(limit):
            yield
    finally:
        torch.set_num_threads(before)


def check_code(texts: Mapping[str, str]) -> None:
    """Raise RuntimeError when the code of this process is not that of the sweep's beginning.

    A process that starts late would import a file that was edited since, and a machine of a cluster
    may have another version: its results would pass for those of the code that was asked for. What
    was found once is imported, and does not change any more.

    Parameters
    ----------
    texts : mapping
        Module -> digest of its text.
    """
    for module in sorted(name for name, text in texts.items() if (name, text) not in _checked):
        found = modules.read_source(module)
        if found is None or modules.digest(found) != texts[module]:
            raise RuntimeError(
                f"{module}: differs from what it was when the sweep began; start the sweep again"
            )
        _checked.add((module, texts[module]))


def _prepared(work: Work, path: Path, load: KeptData) -> Prepared:
    """The run, from its last checkpoint where it has one that is whole."""
    if (path / "config.json").exists():
        with suppress(ConfigError):
            return prepare({**work.values, "resume": str(path)}, load=load)
    rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return prepare({**work.values, "out-dir": str(path)}, load=load)


def _by_flower(work: Work, path: Path) -> None:
    rmtree(path, ignore_errors=True)  # its nodes are gone, and with them what they remember
    launch.run({**work.values, "out-dir": str(path)}, engine="flower")
