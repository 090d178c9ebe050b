"""One setting of an experiment carried out: its runs, its verdicts, its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.experiments.execute import run_sweep
from signfed.app.experiments.experiment import Claim, Experiment, Rows, Verdict
from signfed.app.experiments.manifest import Manifest
from signfed.app.experiments.runner import Runner
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.experiments.watch import Watch
from signfed.app.runs.folder import ENDED
from signfed.app.runs.sweeps import Row


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one setting.

    Attributes
    ----------
    experiment : Experiment
    setting : str
        Its name.
    sweep : Sweep
        What ran.
    rows : sequence of mapping
        One a cell.
    rounds : sequence of mapping
        One a round; empty where no claim or picture is of them.
    verdicts : sequence of (Claim, Verdict)
        In the order of the claims.
    seconds : float
        Of the runs, each one's own, summed; of earlier calls, too.
    ran : mapping
        Where and when most runs ran, as `Manifest.ran` returns it.
    """

    experiment: Experiment
    setting: str
    sweep: Sweep
    rows: Rows
    rounds: Rows
    verdicts: Sequence[tuple[Claim, Verdict]]
    seconds: float
    ran: Mapping[str, Any]


def setting_sweep(experiment: Experiment, setting: str, given: Keys) -> Sweep:
    """Return the sweep of a setting, with run-config keys that hold for this machine.

    Parameters
    ----------
    experiment : Experiment
    setting : str
        "full", "quick" or another of its settings.
    given : mapping
        Such as data-dir and device.

    Raises
    ------
    ConfigError
        For a setting that it does not have.
    """
    if setting not in experiment.settings:
        has = ", ".join(experiment.settings)
        raise ConfigError(f"{experiment.name}: expected a setting among {has}; got {setting!r}")
    sweep = experiment.settings[setting].sweep
    return replace(sweep, config={**sweep.config, **given})


def with_task(rows: Rows, config: Keys) -> Rows:
    """Return rows that have a task: that of every cell, where they have none.

    Parameters
    ----------
    rows : sequence of mapping
        One a cell.
    config : mapping
        Run-config keys of every cell.
    """
    of_all = {"task": config["task"]} if "task" in config else {}
    return [{**of_all, **row} for row in rows]


def judged(
    claims: Sequence[Claim], rows: Rows, rounds: Rows, config: Keys | None = None
) -> list[tuple[Claim, Verdict]]:
    """Return each claim with its verdict.

    Parameters
    ----------
    claims : sequence of Claim
    rows, rounds : sequence of mapping
        One a cell; one a round.
    config : mapping, optional
        Run-config keys of every cell. Its task is that of rows that have none.
    """
    rows = with_task(rows, config or {})
    return [(claim, claim.judge(rounds if claim.of_rounds else rows)) for claim in claims]


def reproduce(
    experiment: Experiment,
    setting: str,
    sweep: Sweep,
    folder: Path,
    *,
    runner: Runner | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Run what is missing of a setting, and judge its claims.

    What another experiment beside it has run is not run again.

    Parameters
    ----------
    experiment : Experiment
    setting : str
        Its name.
    sweep : Sweep
        As `setting_sweep` returned it, or a part of it.
    folder : Path
        The sweep's; what is there already is not run again.
    runner : Runner, optional
        Where the cells run; processes of this machine by default.
    watch : Watch, optional
        Who hears how it goes on.

    Returns
    -------
    Outcome

    Raises
    ------
    ConfigError
        When a cell cannot run; nothing was started.
    """
    found = run_sweep(sweep, folder, runner=runner, watch=watch, neighbours=True)
    took = {cell.id for cell in found.cells}
    if then := experiment.settings[setting].then:
        sweep = then(sweep, found.rows())
        found = run_sweep(sweep, folder, runner=runner, watch=watch, neighbours=True)
        took |= {cell.id for cell in found.cells}
    rows, rounds = found.rows(), list[Row]()
    if experiment.of_rounds:  # of a cell that did not end a row without a round says so
        rounds = found.rounds(of=ENDED) + [row for row in rows if row["status"] not in ENDED]
    manifest = Manifest(found.path)
    seconds = sum(manifest.cells.get(cell, {}).get("seconds") or 0.0 for cell in took)
    return Outcome(
        experiment, setting, sweep, rows, rounds,
        judged(experiment.claims, rows, rounds, sweep.config), seconds, manifest.ran(took),
    )  # fmt: skip
