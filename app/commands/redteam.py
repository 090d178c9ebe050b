"""`signfed redteam`: names checked, a progress bar, tables at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from signfed.app.errors import ConfigError
from signfed.app.redteam.search import Trial, red_team
from signfed.app.redteam.space import ATTACKERS
from signfed.app.report.redteam import print_red_team, write_red_team
from signfed.strategies.registry import STRATEGIES


def command(
    base: Mapping[str, Any],
    strategies: str,
    attacks: str,
    out_file: Path,
    console: Console,
    **budget: int,
) -> None:
    """Search, show, write. Raises ConfigError before the first run for what cannot be."""
    for key in ("strategy", "attack", "out-dir", "evaluate-every"):
        if key in base:
            raise ConfigError(f"{key}: not for a red team, which sets it itself")
    rules = _names(strategies, tuple(STRATEGIES), "--strategies")
    attackers = _names(attacks, ATTACKERS, "--attacks")
    trials: list[Trial] = []
    with Progress(console=console) as progress:
        bar = progress.add_task("trials")

        def show(trial: Trial, done: int, planned: int) -> None:
            trials.append(trial)
            write_red_team(out_file, dict(base), trials)  # what was found survives an interrupt
            progress.update(bar, completed=done, total=planned)

        red_team(base, rules, attackers, on_trial=show, **budget)
    print_red_team(console, trials)
    console.print(f"all {len(trials)} trials: {out_file}", highlight=False)


def _names(text: str, known: tuple[str, ...], option: str) -> list[str]:
    """Those of a comma-separated list; "all" for all. A user's own go by module:name."""
    if text == "all":
        return list(known)
    names = [name.strip() for name in text.split(",")]
    if wrong := [name for name in names if name not in known and ":" not in name]:
        raise ConfigError(f"{option}: expected all or some of {', '.join(known)}; got {wrong[0]!r}")
    return names
