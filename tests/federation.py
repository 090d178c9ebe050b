"""Short federations on the in-process Grid, for tests of whole runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signfed.app.client_app import app as client_app
from signfed.app.engines.local import local_engine
from signfed.app.engines.run import execute
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.server_app import run
from tests.grid import InProcessGrid, Tamper

# Both phases of sign-fd within a second.
SHORT = {
    "num-rounds": 6, "evaluate-every": 3,
    "sign-fd.estimator": "alg1", "sign-fd.initial-rounds": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    summary: dict[str, Any]
    rounds: list[dict[str, Any]]

    @property
    def sha256(self) -> str:
        return self.summary["model_sha256"]

    @property
    def dropped(self) -> list[dict[str, int]]:
        return [r["dropped"] for r in self.rounds]


def config_for(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    short = dict(SHORT)
    if config.get("strategy", "sign-fd") != "sign-fd":
        del short["sign-fd.estimator"], short["sign-fd.initial-rounds"]
    return short | dict(config) | {"out-dir": str(path)}


def federate(
    path: Path, *, nodes: int = 1, tamper: Mapping[int, Tamper] | None = None, **keys: Any
) -> Outcome:
    """One run; `num_rounds=3` stands for the key num-rounds."""
    config = config_for(path, _named(keys))
    run(InProcessGrid(client_app, nodes, config, tamper), config)
    return outcome(path)


def in_process(path: Path, **keys: Any) -> Outcome:
    """The same run on the local engine: the same bits, and faster."""
    execute(config_for(path, _named(keys)), local_engine, reach="server")
    return outcome(path)


def _named(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in keys.items()}


def outcome(path: Path) -> Outcome:
    return Outcome(read_summary(path), read_rounds(path))
