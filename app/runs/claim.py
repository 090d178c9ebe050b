"""A run folder belongs to one run: names and writers that exclude one another."""

from __future__ import annotations

import itertools
import os
import time
from datetime import datetime
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.runs.json_files import write_flushed

RUNS = "signfed-runs"
FLOWER_LOG = "flower.log"  # the first file of a run that Flower carries
PATIENCE = 12.0  # seconds: a run whose command was killed ends within ten
LOOK = 0.2  # seconds between two tries


def new_folder(parent: Path, *labels: str) -> Path:
    """Make a folder below parent/signfed-runs that no other run has.

    Parameters
    ----------
    parent : Path
        Where signfed-runs lies, or is made.
    *labels : str
        What its name says besides the time.

    Raises
    ------
    ConfigError
        When nothing can be created there.
    """
    stem = "-".join((datetime.now().strftime("%Y%m%d-%H%M%S"), *labels)).replace(":", "-")
    names = itertools.chain([stem], (f"{stem}-{i}" for i in itertools.count(1)))
    return next(path for name in names if _made(path := parent / RUNS / name))


def _made(path: Path) -> bool:
    """Whether the folder was made here; False where it exists, as another run's."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise _unusable(path, "a file is in the way") from None
        return False
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    return True


def existing_folder(path: Path) -> Path:
    """Return this folder, known to be there and to be writable; make it unless it is there.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    ConfigError
        When it is no folder, or nothing can be written there.
    """
    _made(path)
    if not os.access(path, os.W_OK | os.X_OK):
        raise _unusable(path, "Permission denied")
    return path


def is_taken(path: Path) -> bool:
    """Tell whether a folder has files in it, besides the one that a run of Flower's begins with."""
    return path.is_dir() and any(file.name != FLOWER_LOG for file in path.iterdir())


def create_first(file: Path, text: str) -> None:
    """Write the file with which a new run takes its folder.

    Parameters
    ----------
    file : Path
        In the folder.
    text : str
        What the file holds.

    Raises
    ------
    ConfigError
        When another run was first.
    """
    try:
        with file.open("x", encoding="utf-8") as stream:
            write_flushed(stream, text)
    except FileExistsError:
        raise ConfigError(
            f"out-dir: expected a folder for one run; another run has just taken {file.parent}"
        ) from None


class Writer:
    """Hold the right to write to a run folder: one process has it, and loses it when it ends.

    Parameters
    ----------
    path : Path
        The run folder.
    patience : float
        Seconds to wait for a writer that is about to end.

    Raises
    ------
    ConfigError
        When another process still has the right after that time.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._folder: int | None = None
        if os.name != "posix":
            return
        folder = os.open(path, os.O_RDONLY)
        deadline = time.monotonic() + patience
        while not _locked(folder):
            if time.monotonic() > deadline:
                os.close(folder)
                raise ConfigError(
                    f"out-dir: expected a folder that no other run writes to; {path} has a run "
                    "under way"
                )
            time.sleep(LOOK)
        self._folder = folder

    def release(self) -> None:
        """Let others write."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def _locked(folder: int) -> bool:
    import fcntl

    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _unusable(path: Path, reason: str | None) -> ConfigError:
    return ConfigError(
        f"out-dir: cannot create the run folder {path}: {reason}; choose another with --out"
    )
