"""Short federations for tests of whole runs: on the in-process Grid, or in the local engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signfed.app.client_app import app as client_app
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.server_app import run
from signfed.strategies.core.crossover import BY_COORDINATE
from signfed.strategies.registry import STRATEGIES
from tests.grid import InProcessGrid, Tamper

BASE = {"num-rounds": 6, "evaluate-every": 3, "device": "cpu"}
# Both phases of sign-fd within a second.
SHORT = {"sign-fd.estimator": "alg1", "sign-fd.initial-rounds": 3}


@dataclass(frozen=True)
class Outcome:
    summary: dict[str, Any]
    rounds: list[dict[str, Any]]

    @property
    def sha256(self) -> str:
        return self.summary["model_sha256"]

    @property
    def dropped(self) -> list[dict[str, int]]:
        """How many workers by reason, of each round."""
        return [{reason: len(ids) for reason, ids in r["dropped"].items()} for r in self.rounds]


def config_for(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    rule = config.get("strategy", "sign-fd")
    short = rule == "sign-fd" and config.get("sign-fd.estimator", "alg1") in BY_COORDINATE
    usual = BASE | (SHORT if short else {}) | needs(rule)
    return usual | dict(config) | {"out-dir": str(path)}


def needs(rule: str) -> dict[str, Any]:
    """What a rule cannot do without."""
    needs_reference = rule in STRATEGIES and STRATEGIES[rule].needs_reference
    return {"server-samples": 40} if needs_reference else {}


def named(keys: Mapping[str, Any]) -> dict[str, Any]:
    """`num_rounds=3` stands for the key num-rounds; a key with a dot goes as it is."""
    return {key.replace("_", "-"): value for key, value in keys.items()}


def federate(
    path: Path, *, nodes: int = 1, tamper: Mapping[int, Tamper] | None = None, **keys: Any
) -> Outcome:
    """One run over messages."""
    config = config_for(path, named(keys))
    run(InProcessGrid(client_app, nodes, config, tamper), config)
    return outcome(path)


def locally(path: Path, **keys: Any) -> Outcome:
    """The same run in the local engine."""
    in_local(config_for(path, named(keys)))
    return outcome(path)


def in_local(config: Mapping[str, Any]) -> None:
    """A run config as it is, in the local engine."""
    execute(prepare(config), local_engine)


def outcome(path: Path) -> Outcome:
    return Outcome(read_summary(path), read_rounds(path))
