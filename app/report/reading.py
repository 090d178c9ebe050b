"""A run folder as it was found: finished, failed, still running, or of one round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.runs.json_files import read_json
from signfed.app.runs.summary import claimed_accuracy
from signfed.app.runs.traffic import with_megabytes
from signfed.app.runs.verdicts import standings

FILES = ("config.json", "rounds.jsonl", "summary.json")


def is_run(path: Path) -> bool:
    """Tell whether a folder is one of a run, begun at least."""
    return any((path / name).exists() for name in FILES)


@dataclass(frozen=True)
class Run:
    """What a run folder holds; nothing is ever written here.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @cached_property
    def described(self) -> dict[str, Any]:
        """Return `config.json`; {} while there is none."""
        file = self.path / "config.json"
        return read_json(file) if file.exists() else {}

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Return `summary.json`; {} while there is none."""
        return read_summary(self.path)

    @cached_property
    def rounds(self) -> list[dict[str, Any]]:
        """Return the lines of `rounds.jsonl`, each with what was sent until then."""
        return [_with_claim(line) for line in with_megabytes(read_rounds(self.path))]

    @property
    def config(self) -> Mapping[str, Any]:
        """Return the run config; in another's Flower app, the rule's own."""
        return self.described.get("config", {})

    @property
    def byzantine(self) -> frozenset[int]:
        """Return the Byzantine workers, as far as the folder knows."""
        return frozenset(self.described.get("byzantine_ids", ()))

    @cached_property
    def workers(self) -> Sequence[int]:
        """Return all workers: those that the config counts, or that the rounds name."""
        if count := self.config.get("num-workers"):
            return range(count)
        named = {w for line in self.rounds for ids in line["dropped"].values() for w in ids}
        for line in self.rounds:
            named.update(*standings(line).values(), line.get("accepted", ()))
        counted = max((line["received"] for line in self.rounds), default=0)
        return sorted(named | (set(range(counted)) if counted > len(named) else set()))

    @property
    def status(self) -> str:
        """Return how the run ended, or "running"."""
        return str(self.summary.get("status", "running"))

    def has(self, column: str) -> bool:
        """Tell whether any round has a column."""
        return any(column in line for line in self.rounds)


def _with_claim(line: dict[str, Any]) -> dict[str, Any]:
    said = claimed_accuracy(line)
    return line if said is None else line | {"claimed_accuracy": said}
