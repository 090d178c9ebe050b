"""The run folder: `config.json`, `rounds.jsonl` and `summary.json`, readable at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from signfed.app.runs.claim import Writer, create_first
from signfed.app.runs.json_files import json_line, json_text, replace_text, write_json
from signfed.app.runs.summary import diverged_since, summary_of
from signfed.strategies.server.record import DETECTION

# status of a run: it goes from the first to one of the others
RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
DIVERGED = "diverged"  # model or loss are no longer finite: it ended, but not well

# Of a round's record, where somebody is Byzantine. Their means are in the summary.
SCORES = DETECTION


def model_sha256(parameters: np.ndarray) -> str:
    """SHA-256 of the parameters as little-endian float32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(parameters, dtype="<f4").tobytes()).hexdigest()


def score(record: Mapping[str, Any]) -> str:
    """An evaluated round in a few words: its accuracy, or its loss where there is none."""
    if "test_accuracy" in record:
        return f"test accuracy {record['test_accuracy']:.4f}"
    loss = record["test_loss"]
    return f"test loss {'not finite' if loss is None else format(loss, '.4g')}"


class RunFolder:
    """Writer of one run's folder. `summary.json` is replaced as a whole, never half-written."""

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        n_parameters: int,
        *,
        done: int | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Create the folder, write `config.json`, and mark the run as running.

        Parameters
        ----------
        done : int, optional
            Rounds of an earlier attempt that stay; what it wrote of later ones is dropped.
            None for a new run.
        seconds : float
            What they took.

        Raises
        ------
        ConfigError
            When the folder is another run's.
        """
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        if done is None:
            create_first(path / "config.json", json_text(config))
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

    def write_round(self, record: Mapping[str, Any]) -> None:
        """Append one line to `rounds.jsonl`."""
        try:
            self._rounds.write(json_line(record))
            self._rounds.flush()
        except OSError as error:
            raise OSError(error.errno, f"{self.path / 'rounds.jsonl'}: {error.strerror}") from error

    def close(self, status: str, **facts: Any) -> None:
        """Write the final `summary.json`: status, what the rounds added up to, and `facts`.

        A run whose last loss is not finite has diverged, also when it reached its last round.
        The first call counts, later ones do nothing.
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
    """Drop what `rounds.jsonl` says of rounds after `done`; returns what is left."""
    kept = [record for record in read_rounds(path) if record["round"] <= done]
    replace_text(path / "rounds.jsonl", "".join(map(json_line, kept)))
    return kept


def reopen(path: Path, done: int) -> None:
    """A run goes on after its first `done` rounds: whoever follows it sees that it is running.

    Raises ConfigError when it is under way.
    """
    Writer(path).release()
    keep_rounds(path, done)
    set_status(path, RUNNING)


def set_status(path: Path, status: str, error: str | None = None) -> None:
    """Overwrite the status in a folder whose writer died; creates what is missing."""
    path.mkdir(parents=True, exist_ok=True)
    summary = read_summary(path) | {"status": status}
    write_json(path / "summary.json", summary | ({"error": error} if error else {}))


def read_summary(path: Path) -> dict[str, Any]:
    """`summary.json`, or {} while there is none."""
    with suppress(OSError, ValueError):
        return json.loads((path / "summary.json").read_text(encoding="utf-8"))
    return {}


class RoundsReader:
    """Reads `rounds.jsonl` while it grows: each call of `new` returns what came since the last.

    A line that is still being written is left for the next call.
    """

    def __init__(self, path: Path) -> None:
        self._file = path / "rounds.jsonl"
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._offset)  # beyond the end while a resumed run writes the file anew
            lines = file.read().splitlines(keepends=True)
        complete = [line for line in lines if line.endswith(b"\n")]
        self._offset += sum(map(len, complete))
        return [json.loads(line) for line in complete]


def read_rounds(path: Path) -> list[dict[str, Any]]:
    """The complete lines of `rounds.jsonl`."""
    return RoundsReader(path).new()
