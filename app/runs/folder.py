"""The run folder: `config.json`, `rounds.jsonl` and `summary.json`, readable at any moment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.runs.claim import Writer, create_first
from signfed.app.runs.json_files import json_line, json_text, read_json, replace_text, write_json
from signfed.app.runs.rounds import RoundsReader as RoundsReader
from signfed.app.runs.rounds import read_rounds as read_rounds  # the folder's, to all who read one
from signfed.app.runs.rounds import rounds_until
from signfed.app.runs.summary import diverged_since, summary_of

# status of a run: it goes from the first to one of the others
RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
DIVERGED = "diverged"  # model or loss are no longer finite: it ended, but not well
ENDED = (FINISHED, DIVERGED)  # a model that was driven to infinity is a result, half a run is none


class RunFolder:
    """Write one run's folder; `summary.json` is replaced as a whole, never half-written.

    Parameters
    ----------
    path : Path
        The folder, which is made.
    config : mapping
        What `config.json` holds.
    n_parameters : int
        N.
    done : int, optional
        Rounds of an earlier attempt that stay; what it wrote of later ones is dropped. None for a
        new run.
    seconds : float
        What they took.

    Raises
    ------
    ConfigError
        When the folder is another run's.
    """

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        n_parameters: int,
        *,
        done: int | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        if done is None:
            create_first(path / "config.json", json_text(config))
        self._config = dict(config)
        self._writer = Writer(path)
        for draft in path.glob("*.tmp"):  # of a writer that was killed
            draft.unlink(missing_ok=True)
        if done is not None:
            write_json(path / "config.json", config)
        self._started = time.monotonic() - seconds
        self._n_parameters = n_parameters
        kept = keep_rounds(path, done or 0)
        self._rounds = (path / "rounds.jsonl").open("a", encoding="utf-8")
        self._summarize(RUNNING, kept)

    @property
    def seconds(self) -> float:
        """Since the start, earlier attempts included."""
        return round(time.monotonic() - self._started, 3)

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self._rounds.closed

    def flush(self) -> None:
        """Have what was written on the disk, for a checkpoint to rely on."""
        os.fsync(self._rounds.fileno())

    def note(self, **facts: Any) -> None:
        """Write what was found out before round 1 into `config.json`, beside what was asked for."""
        self._config |= facts
        write_json(self.path / "config.json", self._config)

    def write_round(self, record: Mapping[str, Any]) -> None:
        """Append one line to `rounds.jsonl`."""
        try:
            self._rounds.write(json_line(record))
            self._rounds.flush()
        except OSError as error:
            raise OSError(error.errno, f"{self.path / 'rounds.jsonl'}: {error.strerror}") from error

    def close(self, status: str, **facts: Any) -> None:
        """Write the final `summary.json`: status, what the rounds added up to, and `facts`.

        The first call counts, later ones do nothing.

        Parameters
        ----------
        status : str
            How the run ended. A finished run whose last loss is not finite has diverged.
        **facts : object
            More entries.
        """
        if self._rounds.closed:
            return
        self._rounds.close()
        try:
            rounds = read_rounds(self.path)
            diverged = diverged_since(rounds)
            if status == FINISHED and diverged:
                status = DIVERGED
            if status == DIVERGED:
                facts["diverged_round"] = diverged or len(rounds)
            self._summarize(status, rounds, **facts)
        finally:
            self._writer.release()

    def _summarize(self, status: str, rounds: Sequence[Mapping[str, Any]], **facts: Any) -> None:
        summary = {"status": status, **summary_of(rounds, self._n_parameters)}
        write_json(self.path / "summary.json", summary | facts | {"seconds": self.seconds})


def keep_rounds(path: Path, done: int) -> list[dict[str, Any]]:
    """Drop what `rounds.jsonl` says of rounds after `done`, and their checkpoints.

    Parameters
    ----------
    path : Path
        The run folder.
    done : int
        Number of the last round that stays.

    Returns
    -------
    list of dict
        What is left.

    Raises
    ------
    ConfigError
        When one of the rounds that stay is missing.
    """
    from signfed.app.runs.checkpoint import forget_later  # slow: it loads torch

    kept = rounds_until(path, done)
    forget_later(path, done)  # first: no checkpoint is without the lines of its rounds
    replace_text(path / "rounds.jsonl", "".join(map(json_line, kept)))
    return kept


def reopen(path: Path, done: int) -> None:
    """Mark a run as running that goes on after `done` rounds, for whoever follows it.

    Parameters
    ----------
    path : Path
        The run folder.
    done : int
        Number of the last round that stays.

    Raises
    ------
    ConfigError
        When the run is under way, or nothing can be written there.
    """
    before = read_summary(path).get("status")
    try:
        Writer(path).release()
        set_status(path, RUNNING)  # first: a folder that has lost rounds has not finished
        keep_rounds(path, done)
    except OSError as error:
        if before:
            with suppress(OSError):
                set_status(path, before)
        raise ConfigError(
            f"resume: cannot write to the run folder {path}: {error.strerror}; make room on its "
            "disk, or give yourself the right to write"
        ) from error


def set_status(path: Path, status: str, error: str | None = None) -> None:
    """Overwrite the status in a folder whose writer died; create what is missing.

    Parameters
    ----------
    path : Path
        The run folder.
    status : str
        How the run ended.
    error : str, optional
        Why.
    """
    path.mkdir(parents=True, exist_ok=True)
    summary = read_summary(path) | {"status": status}
    write_json(path / "summary.json", summary | ({"error": error} if error else {}))


def read_summary(path: Path) -> dict[str, Any]:
    """Return `summary.json`, or {} while there is none."""
    with suppress(ConfigError):
        return read_json(path / "summary.json")
    return {}


def read_config(path: Path) -> dict[str, Any]:
    """Return the run config in `config.json`.

    Parameters
    ----------
    path : Path
        The run folder.

    Raises
    ------
    ConfigError
        When there is none that can be read.
    """
    file = path / "config.json"
    if not file.exists():
        raise ConfigError(f"{path}: expected a run folder, with config.json in it")
    config = read_json(file).get("config")
    if not isinstance(config, dict):
        raise ConfigError(f"{file}: expected a run config as its 'config'; found {config!r}")
    return config
