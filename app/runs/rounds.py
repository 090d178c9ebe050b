"""The lines of `rounds.jsonl`, one a round, as they are read."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError


class RoundsReader:
    """Read `rounds.jsonl` while it grows.

    Parameters
    ----------
    path : Path
        The run folder.
    """

    def __init__(self, path: Path) -> None:
        self._file = path / "rounds.jsonl"
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """Return the lines since the last call, without one that is still being written.

        Raises
        ------
        ConfigError
            When the file cannot be read, or a line is none of a round.
        """
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)  # beyond the end while a resumed run writes the file anew
                lines = file.read().splitlines(keepends=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ConfigError(f"{self._file}: cannot be read; {error.strerror}") from error
        complete = [line for line in lines if line.endswith(b"\n")]
        self._offset += sum(map(len, complete))
        return [self._round(line) for line in complete]

    def _round(self, line: bytes) -> dict[str, Any]:
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and isinstance(found.get("round"), int):
                return found
        raise ConfigError(
            f"{self._file}: expected a JSON object of a round in each line; found {line[:60]!r}"
        )


def read_rounds(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of `rounds.jsonl`; see `RoundsReader.new` for what is raised."""
    return RoundsReader(path).new()


def rounds_until(path: Path, done: int) -> list[dict[str, Any]]:
    """Return the lines of rounds 1 to `done`, for a run that goes on after them.

    Parameters
    ----------
    path : Path
        The run folder.
    done : int
        Number of the last round that is done.

    Raises
    ------
    ConfigError
        When one of them is missing.
    """
    kept = [record for record in read_rounds(path) if record["round"] <= done]
    there = [record["round"] for record in kept]
    whole = next((t for t, found in enumerate(there) if found != t + 1), len(there))
    if whole < done:
        earlier = f"go on from a checkpoint of round {whole} or before, " if whole else ""
        raise ConfigError(
            f"resume: expected rounds 1 to {done} in {path / 'rounds.jsonl'}, after which the run "
            f"goes on; round {whole + 1} is not in its place; restore the file, {earlier}or start "
            "the run anew"
        )
    return kept
