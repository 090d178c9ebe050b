"""The run folder: `config.json`, `rounds.jsonl` and `summary.json`, readable at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from signfed.app.runs.claim import Writer, create_first
from signfed.app.runs.json_files import as_json, json_line, json_text, replace_text, write_json
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
        names = [name for name in ("test_accuracy", "backdoor_success") if name in record]
        return ", ".join(f"{name.replace('_', ' ')} {record[name]:.4f}" for name in names)
    loss = record["test_loss"]
    return f"test loss {'not finite' if loss is None else format(loss, '.4g')}"


class Traffic:
    """Bytes per worker and parameter over the rounds after the first (or the first, if alone).

    Uplink: of all replies, per worker asked. Downlink: of one message, since a device with one
    worker gets one; here several workers may share a node and its message.
    """

    def __init__(self, n_parameters: int) -> None:
        self._n_parameters = n_parameters
        self._forget()

    def _forget(self) -> None:
        self._up_bytes = self._up_count = self._down_bytes = self._down_count = 0

    def add(self, record: Mapping[str, Any]) -> None:
        if record["round"] == 2:
            self._forget()
        self._up_bytes += record["uplink_bytes"]
        self._up_count += record["received"] + sum(map(len, record["dropped"].values()))
        self._down_bytes += record["downlink_bytes"]
        self._down_count += record["nodes"]

    def bits_per_parameter(self) -> dict[str, float]:
        if not self._up_count:
            return {}
        up = self._up_bytes / self._up_count / self._n_parameters
        down = self._down_bytes / self._down_count / self._n_parameters
        return {
            "uplink_bits_per_parameter": round(8 * up, 4),
            "downlink_bits_per_parameter": round(8 * down, 4),
        }


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
        kept = keep_rounds(path, done or 0)
        self._rounds = (path / "rounds.jsonl").open("a", encoding="utf-8")
        self._n_parameters = n_parameters
        self._traffic = Traffic(n_parameters)
        self._accuracies: list[float] = []
        self._scores: dict[str, list[float]] = {name: [] for name in SCORES}
        self._losses: list[float | None] = []
        self._success: float | None = None
        self._diverged_round: int | None = None
        self._count = 0
        for record in kept:
            self._add(record)
        self._summarize(RUNNING)

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
        record = as_json(record)
        try:
            self._rounds.write(json_line(record))
            self._rounds.flush()
        except OSError as error:
            raise OSError(error.errno, f"{self.path / 'rounds.jsonl'}: {error.strerror}") from error
        self._add(record)

    def _add(self, record: Mapping[str, Any]) -> None:
        self._count += 1
        self._traffic.add(record)
        if "test_accuracy" in record:
            self._accuracies.append(record["test_accuracy"])
        self._success = record.get("backdoor_success", self._success)
        if "test_loss" in record:
            self._losses.append(record["test_loss"])
            first = self._diverged_round or record["round"]
            self._diverged_round = first if record["test_loss"] is None else None
        for name, found in self._scores.items():
            if name in record:
                found.append(record[name])

    def close(self, status: str, **facts: Any) -> None:
        """Write the final `summary.json`: status, what the rounds added up to, and `facts`.

        A run whose last loss is not finite has diverged, also when it reached its last round.
        The first call counts, later ones do nothing.
        """
        if self._rounds.closed:
            return
        self._rounds.close()
        if status == FINISHED and self._diverged_round:
            status = DIVERGED
        if status == DIVERGED:
            facts["diverged_round"] = self._diverged_round or self._count
        try:
            self._summarize(status, **facts)
        finally:
            self._writer.release()

    def _summarize(self, status: str, **facts: Any) -> None:
        summary: dict[str, Any] = {"status": status, "rounds": self._count}
        if self._accuracies:
            summary["final_test_accuracy"] = self._accuracies[-1]
            summary["best_test_accuracy"] = max(self._accuracies)
        if self._losses:
            summary["final_test_loss"] = self._losses[-1]
        if self._success is not None:
            summary["final_backdoor_success"] = self._success
        summary |= {name: sum(v) / len(v) for name, v in self._scores.items() if v}
        summary |= {"parameters": self._n_parameters, **self._traffic.bits_per_parameter()}
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
