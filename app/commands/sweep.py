"""`signfed sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from signfed.app.commands.common import gone_on_with, out


def sweep(
    file: Annotated[Path, typer.Argument(help="TOML file of the sweep; see docs/sweeps.md")],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="folder; default: signfed-runs/NAME")
    ] = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="say what would run, why, and how long; start nothing")
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="runs at a time; default: one a core")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to run on; 'local' starts one here")
    ] = None,
    gpus_per_cell: Annotated[
        float, typer.Option(min=0, help="share of a GPU for each run, by Ray")
    ] = 0.0,
    retry: Annotated[int, typer.Option(min=0, help="times that a failed run is tried again")] = 1,
) -> None:
    """Run every combination of keys and seeds that a file asks for, each once.

    What is done already is not run again, unless its code has changed; a sweep that was killed
    goes on. Exit code 0: all runs are done. 1: some failed. 2: the file is wrong, or a run in it
    cannot be, and nothing was started. 130: interrupted.
    """
    from signfed.app.experiments.execute import run_sweep
    from signfed.app.experiments.runner import runner_for
    from signfed.app.experiments.show import ShownSweep, print_plan
    from signfed.app.experiments.sweep_file import read_sweep

    with gone_on_with():
        asked = read_sweep(file)
        folder = out_dir or Path("signfed-runs") / asked.name
        runner = runner_for(asked.engine, processes, address, gpus_per_cell)
        if only_plan:
            print_plan(out, asked, folder, runner)
            return
        with ShownSweep(out, folder.resolve()) as shown:
            found = run_sweep(asked, folder, runner=runner, retries=retry, watch=shown)
    out.print(f"results: {found.path / 'results.csv'}", soft_wrap=True, highlight=False)
    raise typer.Exit(1 if shown.failed else 0)
