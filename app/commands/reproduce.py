"""`signfed reproduce`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from signfed.app.commands.common import RunConfigOption, err, gone_on_with, out
from signfed.app.errors import ConfigError

if TYPE_CHECKING:
    from signfed.app.experiments.experiment import Experiment
    from signfed.app.experiments.reproduce import Outcome

FOR_THIS_MACHINE = ("data-dir", "device", "download", "precision")
SECOND_STAGE = (
    "a second stage follows, of what the first one finds; its runs are not counted here, nor in an "
    "estimated time"
)
COLOURS = {"holds": "green", "does not hold": "red"}


def reproduce(
    names: Annotated[list[str] | None, typer.Argument(help="experiments, or all")] = None,
    list_: Annotated[bool, typer.Option("--list", help="all experiments, with times")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="the small setting, about ten minutes at most")
    ] = False,
    setting: Annotated[
        str | None, typer.Option(help="full, quick, or another; see --list; default: full")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="cells with this key=value; writes no page")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="say what would run, run nothing")] = False,
    pages: Annotated[Path, typer.Option("--out", help="folder of the result pages")] = Path(
        "signfed-results"
    ),
    runs: Annotated[Path, typer.Option(help="folder of the runs, gone on with and shared")] = Path(
        "signfed-sweeps"
    ),
    config: RunConfigOption = None,
    processes: Annotated[
        int | None, typer.Option(min=0, help="runs at a time; default: one a core")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to run on; 'local' starts one here")
    ] = None,
    gpus_per_cell: Annotated[
        float, typer.Option(min=0, help="share of a GPU for each run, by Ray")
    ] = 0.0,
    summary: Annotated[
        Path | None, typer.Option(help="write README.md of this folder of pages, run nothing")
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(help="judge the rows kept in this folder again, write its pages, run nothing"),
    ] = None,
) -> None:
    """Repeat a figure or table of a paper, and say of each claim whether it holds.

    Runs, draws and judges, and writes a page NAME/README.md. Runs that are there are not repeated,
    those of other experiments among them.
    -c takes what holds for this machine: data-dir, device, download, precision.
    Of several, those that cannot run here are named, and the others run.
    Exit code 0: all ran, whatever the verdicts. 1: some run failed, or some item could not run.
    2: nothing was started. 130: interrupted.
    """
    from signfed.app.config.pairs import given_keys
    from signfed.app.experiments.again import judge_again
    from signfed.app.experiments.narrow import narrowed
    from signfed.app.experiments.pages import write_page, write_summary
    from signfed.app.experiments.records import keep
    from signfed.app.experiments.registry import EXPERIMENTS, find
    from signfed.app.experiments.reproduce import reproduce as carry_out
    from signfed.app.experiments.reproduce import setting_sweep
    from signfed.app.experiments.runner import runner_for
    from signfed.app.experiments.show import ShownSweep, print_plan

    chosen, failed = "quick" if quick else setting or "full", 0
    refused: list[str] = []
    with gone_on_with():
        if setting not in (None, chosen):
            raise ConfigError(f"--setting {setting}: expected none beside --quick")
        if list_:
            return _print_list(list(EXPERIMENTS.values()))
        for left in judge_again(judge) if judge else ():
            err.print(f"not judged again: {left}", markup=False, soft_wrap=True)
        if summary := judge or summary:
            out.print(f"summary: {write_summary(summary)}", soft_wrap=True, highlight=False)
            return None
        given = _of_this_machine(given_keys(config or []))
        items = list(EXPERIMENTS.values()) if names == ["all"] else [*map(find, names or [])]
        if not items:
            raise ConfigError(
                "expected names of experiments, or all; see: signfed reproduce --list"
            )
        sweeps = [narrowed(setting_sweep(item, chosen, given), only or []) for item in items]
        local = any(sweep.engine == "local" for sweep in sweeps)  # of several, those take it
        for item, sweep in zip(items, sweeps, strict=True):
            folder = runs / item.name  # of all settings: cells that they share run once
            most = None if local and sweep.engine == "flower" else processes
            runner = runner_for(sweep.engine, most, address, gpus_per_cell)
            with _one_of_several(item.name, refused) if len(items) > 1 else nullcontext():
                if plan:
                    minutes = item.settings[chosen].minutes
                    print_plan(out, sweep, folder, runner, minutes, neighbours=True)
                    if item.settings[chosen].then:
                        out.print(SECOND_STAGE, highlight=False)
                    continue
                out.print(f"[bold]{item.name}[/bold] ({chosen}): {escape(item.title)}")
                with ShownSweep(out, folder.resolve()) as shown:
                    outcome = carry_out(item, chosen, sweep, folder, runner=runner, watch=shown)
                failed += shown.failed
                _print_verdicts(outcome)
                if only:
                    out.print("no page: only a part was run (--only)")
                    continue
                page = write_page(keep(outcome, pages / item.name), pages / item.name)
                out.print(f"page: {page}", soft_wrap=True, highlight=False)
        if len(refused) == len(items):
            raise ConfigError("none of these items can run here")
    if refused:
        err.print(f"could not run: {', '.join(refused)}", soft_wrap=True, highlight=False)
    raise typer.Exit(1 if failed or refused else 0)


@contextmanager
def _one_of_several(name: str, refused: list[str]) -> Iterator[None]:
    """Say why an item cannot run here, and note its name: the others need not wait for its data."""
    from signfed.app.task import DataMissing

    try:
        yield
    except (ConfigError, DataMissing) as error:
        err.print(f"[red]{name} cannot run:[/red] {escape(str(error))}", soft_wrap=True)
        refused.append(name)


def _of_this_machine(given: dict[str, Any]) -> dict[str, Any]:
    for key in given:
        if key not in FOR_THIS_MACHINE:
            allowed = ", ".join(FOR_THIS_MACHINE)
            raise ConfigError(f"-c {key}: expected what holds for this machine: {allowed}")
    return given


def _print_list(experiments: list[Experiment]) -> None:
    from signfed.app.experiments.registry import PAPERS

    table = Table("name", "paper", "what it shows", "settings: minutes on 2 cores")
    for column in (0, 3):  # to be copied whole
        table.columns[column].no_wrap = True
    for experiment in experiments:
        paper = PAPERS.get(experiment.paper, experiment.paper).partition(",")[0]
        settings = "\n".join(
            f"{name} {'about ' if setting.estimated else ''}{setting.minutes:g}"
            for name, setting in experiment.settings.items()
        )
        table.add_row(experiment.name, paper, escape(experiment.title), settings)
    out.print(table)
    out.print(
        "about: from a few rounds, or from a machine that did other things, too", highlight=False
    )
    for experiment in experiments:
        if note := experiment.full.note:
            out.print(f"{experiment.name}, full: {note}", markup=False, highlight=False)


def _print_verdicts(outcome: Outcome) -> None:
    table = Table("claim", "published", "ours", "tolerance", "verdict")
    for claim, verdict in outcome.verdicts:
        cells = (claim.text, verdict.published, verdict.ours, verdict.tolerance)
        table.add_row(*map(escape, cells), Text(verdict.says, COLOURS.get(verdict.says, "")))
    out.print(table)
    if note := outcome.experiment.settings[outcome.setting].note:
        out.print(f"smaller than in the paper: {note}", markup=False, highlight=False)
    if remark := outcome.experiment.remarks.get(outcome.setting):
        out.print(remark, markup=False, highlight=False)
