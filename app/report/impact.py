"""What an attack cost: a run beside the same run without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from signfed.app.config.keys import KEYS
from signfed.app.engines.local import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.errors import ConfigError
from signfed.app.runs.folder import FINISHED, SCORES, read_summary

ACCURACIES = ("final_test_accuracy", "best_test_accuracy")
COLUMNS = ("run", "control", "impact")
OF_THE_ATTACK = {"attack", "attack-options", "byzantine-ids", "out-dir"} | {
    key.name for key in KEYS.values() if key.kind == "attack"
}


def control_config(config: dict[str, Any]) -> dict[str, Any]:
    """The run config of the same run with nobody lying."""
    kept = {key: value for key, value in config.items() if key not in OF_THE_ATTACK}
    return kept | {"attack": "none"}


def control_of(path: Path) -> Path:
    """The folder of the same run without attack, in `path`/control; run on the fleet if need be.

    Raises ConfigError when `path` is no finished run, or its control was broken off.
    """
    config, folder = read_config(path), path / "control"
    _finished(path)
    if folder.exists():
        _finished(folder)
    else:
        config = control_config(config) | {"out-dir": str(folder)}
        execute(prepare(config), local_engine)
    return folder


def read_config(path: Path) -> dict[str, Any]:
    """The run config of a run folder. Raises ConfigError when it is none."""
    file = path / "config.json"
    if not file.exists():
        raise ConfigError(f"{path}: expected a run folder, with config.json in it")
    return json.loads(file.read_text(encoding="utf-8"))["config"]


def impact(path: Path, control: Path) -> dict[str, dict[str, float]]:
    """score -> the run's, the control's, and for accuracies the attack's impact.

    Attack impact: accuracy of the control minus that of the run.
    Reference: Xu et al. 2022 (SignGuard), Definition 3. Deviation: their baseline has no defense
    either; here it is the same rule, so that the attack's cost is not mixed with the rule's.
    Raises ConfigError when the two differ in more than the attack, or one did not finish.
    """
    if control_config(read_config(control)) != control_config(read_config(path)):
        raise ConfigError(f"{control}: expected a run that differs from {path} in the attack alone")
    summary, other = _finished(path), _finished(control)
    rows = {
        name: {"run": summary[name], "control": other[name], "impact": other[name] - summary[name]}
        for name in ACCURACIES
        if name in summary
    }
    return rows | {name: {"run": summary[name]} for name in SCORES if name in summary}


def _finished(path: Path) -> dict[str, Any]:
    """The summary of a finished run; raises ConfigError for another."""
    summary = read_summary(path)
    if summary.get("status") != FINISHED:
        raise ConfigError(
            f"{path}: expected a finished run, found {summary.get('status')!r}; "
            "remove that folder to run it again"
        )
    return summary


def print_impact(console: Console, path: Path, control: Path) -> None:
    """The table of `impact`."""
    table = Table("", *COLUMNS, title=f"{path.name}", title_justify="left")
    for name, row in impact(path, control).items():
        shown = (f"{row[column]:.4f}" if column in row else "" for column in COLUMNS)
        table.add_row(name.replace("_", " "), *shown)
    console.print(table)
