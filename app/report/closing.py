"""What a finished run says on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signfed.app.report.reading import Run
from signfed.app.runs import folder as run_folder
from signfed.app.runs.summary import DETECTION
from signfed.app.runs.verdicts import ACCEPTED, NO_VERDICT, REJECTED, standings, verdicts

SHOWN = (
    "rounds", "diverged_round", "stopped_round", "stopped_because", "final_test_accuracy",
    "best_test_accuracy", "final_test_loss", "final_claimed_accuracy", "final_validation_accuracy",
    "final_backdoor_success", "final_minority_accuracy", "final_others_accuracy", *DETECTION,
    "parameters", "uplink_bits_per_parameter",
    "downlink_bits_per_parameter", "model_sha256", "seconds",
)  # fmt: skip


def print_closing(console: Console, path: Path, byzantine_ids: tuple[int, ...]) -> None:
    """Print the summary of a run folder, and whom the rule rejected beside who is Byzantine.

    Parameters
    ----------
    console : Console
        Where to print.
    path : Path
        The run folder.
    byzantine_ids : tuple of int
        The Byzantine workers.
    """
    run = Run(path)
    summary, rounds = run.summary, run.rounds
    table = Table(title=f"{summary.get('status')}: {path.name}", title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    table.show_header = False
    for key in SHOWN:
        if key in summary:
            value = summary[key]
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            table.add_row(key.replace("_", " "), shown)
    console.print(table)
    findings = [r for r in rounds if "accepted" in r]
    if findings:
        _print_detection(console, findings[-1], run.workers, set(byzantine_ids))
    broken = [r for r in rounds if "broken_assumption" in r]
    if broken:
        console.print(
            f"[yellow]broken assumption[/yellow] in {len(broken)} of {len(rounds)} rounds, at last "
            f"in round {broken[-1]['round']}: {broken[-1]['broken_assumption']}; what the rule "
            "rejected there need not be Byzantine",
            soft_wrap=True,
            highlight=False,
        )


def print_end(console: Console, path: Path, status: str) -> None:
    """Print the last line of a run that did not finish: the reason.

    Parameters
    ----------
    console : Console
        Where to print.
    path : Path
        The run folder.
    status : str
        Of the run; nothing is printed for one that finished.
    """
    summary = run_folder.read_summary(path)
    since = f"model or loss is not finite since round {summary.get('diverged_round')}"
    says = {
        run_folder.FAILED: ("red", "the run failed", f"no reason is known; see {path}"),
        run_folder.DIVERGED: ("red", "the run diverged", since),
        run_folder.INTERRUPTED: ("yellow", "interrupted", f"go on: signfed run --resume '{path}'"),
    }
    if status in says:
        colour, title, otherwise = says[status]
        reason = escape(str(summary.get("error") or otherwise))
        console.print(f"[{colour}]{title}:[/{colour}] {reason}", soft_wrap=True, highlight=False)


def _print_detection(
    console: Console, record: dict[str, Any], all_workers: Sequence[int], byzantine: set[int]
) -> None:
    """What the rule made of each worker, beside the truth that only a simulation knows."""
    outvoted = standings(record).get("crossover", {})
    found = verdicts(record, all_workers)
    table = Table("worker", "outvoted", "rule", "truth", title="workers", title_justify="left")
    for worker, verdict in found.items():
        colour = "yellow"
        if verdict in (ACCEPTED, REJECTED):
            colour = "green" if (verdict == ACCEPTED) != (worker in byzantine) else "red"
        table.add_row(
            str(worker), f"{outvoted[worker]:.1%}" if worker in outvoted else "-",
            f"[{colour}]{verdict}[/{colour}]", "Byzantine" if worker in byzantine else "honest",
        )  # fmt: skip
    console.print(table)
    if NO_VERDICT not in found.values():
        rejected = [str(worker) for worker, verdict in found.items() if verdict == REJECTED]
        console.print(f"rejected: {', '.join(rejected) or 'nobody'}", highlight=False)
