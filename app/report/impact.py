"""What an attack cost: a run beside the same run without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from signfed.app.errors import ConfigError
from signfed.app.runs.folder import DIVERGED, ENDED, FINISHED, read_summary
from signfed.app.runs.summary import DETECTION

ACCURACIES = ("final_test_accuracy", "best_test_accuracy")
BACKDOOR = "final_backdoor_success"
COLUMNS = ("run", "control", "impact")


def finished(
    path: Path,
    remedy: str = "signfed run --resume DIR goes on with one that was interrupted",
    *,
    diverged: bool = False,
) -> dict[str, Any]:
    """Return the summary of a finished run.

    Parameters
    ----------
    path : Path
        The run folder.
    remedy : str
        What helps with any other run.
    diverged : bool
        Whether one that diverged will do: no attack does more.

    Raises
    ------
    ConfigError
        For any other run.
    """
    summary = read_summary(path)
    if summary.get("status") not in (ENDED if diverged else (FINISHED,)):
        found = summary.get("status")
        raise ConfigError(f"{path}: expected a finished run, found {found!r}; {remedy}")
    return summary


def impact(
    path: Path, control: Path, untouched: float | None = None
) -> dict[str, dict[str, float]]:
    """Compare a run with its control.

    Attack impact: accuracy of the control minus that of the run; success of a backdoor minus what
    its trigger does to the control's model.

    Parameters
    ----------
    path, control : Path
        Folders of two finished runs that differ in the attack alone; that under attack may have
        diverged: then its model is worth nothing, and what is final of it counts as 0.
    untouched : float, optional
        The success rate on the control's final model, where it is known.

    Returns
    -------
    dict
        Score -> the "run"'s, the "control"'s, and for accuracies and backdoors the "impact".

    Raises
    ------
    ConfigError
        When one of them did not finish.

    References
    ----------
    Xu et al. 2022 (SignGuard), Definition 3.

    Notes
    -----
    Deviation: the paper's baseline has no defense either; here it has the same rule, so that the
    attack's cost is not mixed with the rule's.
    """
    summary, other = finished(path, diverged=True), finished(control)
    if summary["status"] == DIVERGED:
        summary |= {name: 0.0 for name in (ACCURACIES[0], BACKDOOR) if name in {**summary, **other}}
    rows = {
        name: {"run": summary[name], "control": other[name], "impact": other[name] - summary[name]}
        for name in ACCURACIES
        if name in summary and name in other
    }
    if BACKDOOR in summary:
        success = summary[BACKDOOR]
        rows[BACKDOOR] = {"run": success}
        if untouched is not None:
            rows[BACKDOOR] |= {"control": untouched, "impact": success - untouched}
    return rows | {name: {"run": summary[name]} for name in DETECTION if name in summary}


def print_impact(
    console: Console, path: Path, control: Path, untouched: float | None = None
) -> None:
    """Print the table of `impact`.

    Parameters
    ----------
    console : Console
        Where to print.
    path, control : Path
        Folders of two finished runs that differ in the attack alone.
    untouched : float, optional
        Success of the backdoor on the model of the control.
    """
    table = Table("", *COLUMNS, title=f"{path.name}", title_justify="left")
    for name, row in impact(path, control, untouched).items():
        shown = (f"{row[column]:.4f}" if column in row else "" for column in COLUMNS)
        table.add_row(name.replace("_", " "), *shown)
    console.print(table)
    summary = read_summary(path)
    if summary.get("status") == DIVERGED:
        console.print(
            f"diverged in round {summary.get('diverged_round', '?')}: the model is not finite, its "
            "final accuracy counts as 0", highlight=False,
        )  # fmt: skip
