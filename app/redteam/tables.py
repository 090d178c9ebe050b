"""The red team's findings: rules by their worst attack, and every pair in a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from signfed.app.redteam.search import Trial, worst
from signfed.app.runs.json_files import write_json


def print_red_team(console: Console, trials: Sequence[Trial]) -> None:
    """Print tables: rules and the worst attack found, all pairs, and backdoors.

    Parameters
    ----------
    console : Console
        Where to print.
    trials : sequence of Trial
        What the search found, controls included.
    """
    strategies = list(dict.fromkeys(trial.strategy for trial in trials))
    attacks = [name for name in dict.fromkeys(trial.attack for trial in trials) if name != "none"]
    found = Table(title="worst attack found", title_justify="left")
    for column in ("rule", "no attack", "attack", "parameters", "accuracy", "impact"):
        found.add_column(column, overflow="fold")
    for name in strategies:
        clean, trial = worst(trials, name, "none").accuracy, worst(trials, name)
        drop = clean - trial.accuracy
        found.add_row(
            name, f"{clean:.3f}", trial.attack, _shown(trial), f"{trial.accuracy:.3f}",
            f"{drop:.3f}",
        )  # fmt: skip
    console.print(found)
    pairs = Table("attack", *strategies, title="the worst of each attack", title_justify="left")
    for attack in ("none", *attacks):
        pairs.add_row(
            attack, *(f"{worst(trials, name, attack).accuracy:.3f}" for name in strategies)
        )
    console.print(pairs)
    backdoors = Table(title="backdoors", title_justify="left")
    for column in ("rule", "attack", "parameters", "success", "accuracy"):
        backdoors.add_column(column, overflow="fold")
    for attack in attacks:
        for trial in (worst(trials, name, attack) for name in strategies):
            if trial.success is not None:
                backdoors.add_row(
                    trial.strategy, attack, _shown(trial), f"{trial.success:.3f}",
                    f"{trial.accuracy:.3f}",
                )  # fmt: skip
    if backdoors.row_count:
        console.print(backdoors)


def _shown(trial: Trial) -> str:
    return " ".join(f"{key}={value}" for key, value in trial.parameters.items())


def write_red_team(path: Path, config: dict[str, Any], trials: Sequence[Trial]) -> None:
    """Write `redteam.json`: the config, and every trial.

    Parameters
    ----------
    path : Path
        The file, which is replaced as a whole.
    config : dict
        Run-config keys that all trials share.
    trials : sequence of Trial
        What the search found so far.
    """
    content = {"config": config, "trials": [asdict(trial) for trial in trials]}
    write_json(path, content)
