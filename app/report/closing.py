"""What a finished run says on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signfed.app.runs import folder as run_folder


def print_closing(console: Console, path: Path, byzantine_ids: tuple[int, ...]) -> None:
    """The summary of a run folder, and who the rule found lying beside who truly did."""
    summary, rounds = run_folder.read_summary(path), run_folder.read_rounds(path)
    table = Table(title=f"{summary.get('status')}: {path.name}", title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    table.show_header = False
    for key in ("rounds", "diverged_round", "final_test_accuracy", "best_test_accuracy",
                "final_test_loss", *run_folder.SCORES, "parameters", "uplink_bits_per_parameter",
                "downlink_bits_per_parameter", "model_sha256", "seconds"):  # fmt: skip
        if key in summary:
            value = summary[key]
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            table.add_row(key.replace("_", " "), shown)
    console.print(table)
    findings = [r for r in rounds if "accepted" in r]
    if findings:
        _print_liars(console, findings[-1], byzantine_ids)


def print_end(console: Console, path: Path, status: str) -> None:
    """The last line of a run that did not finish: the reason."""
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


def _print_liars(console: Console, record: dict[str, Any], byzantine_ids: tuple[int, ...]) -> None:
    """What the rule found out by itself, beside the truth that only a simulation knows."""
    crossover = {int(worker): p for worker, p in record.get("crossover", {}).items()}
    accepted, truth = set(record["accepted"]), set(byzantine_ids)
    workers = sorted(accepted | set(crossover) | truth)
    table = Table("worker", "outvoted", "found", "truth", title="who lied", title_justify="left")
    for worker in workers:
        found, true = (("honest", "lying")[is_lying] for is_lying in
                       (worker not in accepted, worker in truth))  # fmt: skip
        colour = "green" if found == true else "red"
        outvoted = f"{crossover[worker]:.1%}" if worker in crossover else "-"
        table.add_row(str(worker), outvoted, f"[{colour}]{found}[/{colour}]", true)
    console.print(table)
    lying = [worker for worker in workers if worker not in accepted]
    console.print(f"found lying: {', '.join(map(str, lying)) or 'nobody'}", highlight=False)
