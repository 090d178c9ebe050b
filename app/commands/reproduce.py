"""`signfed reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from signfed.app.commands.common import RunConfigOption, out, refusing
from signfed.app.errors import ConfigError

if TYPE_CHECKING:
    from signfed.app.experiments.experiment import Experiment
    from signfed.app.experiments.reproduce import Outcome

FOR_THIS_MACHINE = ("data-dir", "device", "download", "precision")
SAYS = {True: "[green]holds[/green]", False: "[red]does not hold[/red]", None: "not tried"}


def reproduce(
    names: Annotated[list[str] | None, typer.Argument(help="experiments, or all")] = None,
    list_: Annotated[bool, typer.Option("--list", help="all experiments, with times")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="the small setting, ten minutes at most")
    ] = False,
    setting: Annotated[str, typer.Option(help="full, quick, or another; see --list")] = "full",
    only: Annotated[
        list[str] | None, typer.Option(help="cells with this key=value; writes no page")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="say what would run, run nothing")] = False,
    pages: Annotated[Path, typer.Option("--out", help="folder of the result pages")] = Path(
        "signfed-results"
    ),
    runs: Annotated[Path, typer.Option(help="folder of the runs, gone on with")] = Path(
        "signfed-sweeps"
    ),
    config: RunConfigOption = None,
    processes: Annotated[
        int | None, typer.Option(min=0, help="runs at a time; default: as many as cores")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="write README.md of this folder of pages, run nothing")
    ] = None,
) -> None:
    """Repeat a figure or table of a paper, and say of each claim whether it holds.

    Runs, draws and judges, and writes a page NAME/README.md. Runs that are there are not repeated.
    -c takes what holds for this machine: data-dir, device, download, precision.
    Exit code 0: all ran, whatever the verdicts. 1: some run failed. 2: nothing was started.
    """
    from signfed.app.config.pairs import given_keys
    from signfed.app.experiments.narrow import narrowed
    from signfed.app.experiments.pages import write_page, write_summary
    from signfed.app.experiments.records import keep
    from signfed.app.experiments.registry import EXPERIMENTS, find
    from signfed.app.experiments.reproduce import reproduce as carry_out
    from signfed.app.experiments.reproduce import setting_sweep

    chosen, failed = "quick" if quick else setting, 0
    with refusing():
        if list_:
            return _print_list(list(EXPERIMENTS.values()))
        if summary:
            out.print(f"summary: {write_summary(summary)}", soft_wrap=True, highlight=False)
            return None
        given = given_keys(config or [])
        for key in given:
            if key not in FOR_THIS_MACHINE:
                allowed = ", ".join(FOR_THIS_MACHINE)
                raise ConfigError(f"-c {key}: expected what holds for this machine: {allowed}")
        if not names:
            raise ConfigError(
                "expected names of experiments, or all; see: signfed reproduce --list"
            )
        experiments = list(EXPERIMENTS.values()) if names == ["all"] else [find(n) for n in names]
        sweeps = {
            each.name: narrowed(setting_sweep(each, chosen, given), only or [])
            for each in experiments
        }  # what is wrong is said before the first run
        for each in experiments:
            sweep = sweeps[each.name]
            folder = runs / f"{each.name}-{chosen}"
            if plan:
                _print_plan(each, chosen, sweep, folder)
                continue
            out.print(f"[bold]{each.name}[/bold] ({chosen}): {escape(each.title)}", highlight=False)
            outcome = carry_out(each, chosen, sweep, folder, processes=processes)
            _print_verdicts(outcome)
            failed += sum(row.get("status") not in ("finished", "diverged") for row in outcome.rows)
            if only:
                out.print("no page: only a part was run (--only)")
                continue
            place = pages / each.name
            page = write_page(keep(outcome, place), place)
            out.print(f"page: {page}", soft_wrap=True, highlight=False)
    raise typer.Exit(1 if failed else 0)


def _print_list(experiments: list[Experiment]) -> None:
    from signfed.app.experiments.registry import PAPERS

    table = Table("name", "paper", "what it shows", "setting", "minutes on 2 cores")
    for experiment in experiments:
        for name, setting in experiment.settings.items():
            minutes = f"{setting.minutes:g}{' (estimated)' if setting.estimated else ''}"
            first = name == "full"
            paper = PAPERS.get(experiment.paper, experiment.paper).partition(",")[0]
            head = (experiment.name, paper, escape(experiment.title)) if first else ("", "", "")
            table.add_row(*head, name, minutes)
    out.print(table)


def _print_plan(experiment: Experiment, setting: str, sweep: Any, folder: Path) -> None:
    """What would run, and how long it takes where the whole setting's time is known."""
    from signfed.app.experiments.cells import cells_of
    from signfed.app.experiments.manifest import Manifest
    from signfed.app.experiments.plan import plan

    whole = experiment.settings[setting]
    steps = plan(cells_of(sweep, load=None), folder.expanduser().resolve(), Manifest(folder))
    waiting = [step for step in steps if step.runs]
    share = len(waiting) / max(1, sum(1 for _ in whole.sweep.points()))
    out.print(
        f"{experiment.name} ({setting}): {len(waiting)} of {len(steps)} runs to do, about "
        f"{whole.minutes * share:.0f} minutes on 2 cores", highlight=False,
    )  # fmt: skip
    for step in waiting:
        out.print(f"  {step.cell.label}: {step.why}", soft_wrap=True, highlight=False, markup=False)


def _print_verdicts(outcome: Outcome) -> None:
    table = Table("claim", "published", "ours", "tolerance", "verdict")
    for claim, verdict in outcome.verdicts:
        cells = (claim.text, verdict.published, verdict.ours, verdict.tolerance)
        table.add_row(*map(escape, cells), SAYS[verdict.holds])
    out.print(table)
    if note := outcome.experiment.settings[outcome.setting].note:
        out.print(f"smaller than in the paper: {note}", highlight=False)
    if remark := outcome.experiment.remarks.get(outcome.setting):
        out.print(remark, highlight=False)
