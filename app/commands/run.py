"""`signfed run`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from signfed.app.commands.common import RunConfigOption, err, out, refusing


class Engine(StrEnum):
    """Who runs the rounds."""

    flower = "flower"
    local = "local"


def run(
    config: RunConfigOption = None,
    out_dir: Annotated[
        str | None, typer.Option("--out", help="run folder; default: a new one in ./signfed-runs")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="run folder, or one of its checkpoints, to go on with; -c may change "
            "what is ahead, such as num-rounds"
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(help="flower: simulated nodes and real messages; local: neither, and fast"),
    ] = Engine.flower,
    supernodes: Annotated[
        int, typer.Option(help="simulated nodes that share the workers (flower)")
    ] = 2,
    cpus_per_client: Annotated[int, typer.Option(help="CPUs for one node at work (flower)")] = 1,
    gpus_per_client: Annotated[
        float, typer.Option(help="share of a GPU for one node (flower)")
    ] = 0.0,
) -> None:
    """Run one federation on this machine; on a CPU the engine does not change the result.

    Exit code 0: the run finished. 1: it failed. 2: the configuration is wrong and nothing was
    started. 130: it was interrupted.
    """
    from signfed.app.config.pairs import given_keys
    from signfed.app.config.simulation import Simulation
    from signfed.app.engines import launch
    from signfed.app.engines.asked import asked_for
    from signfed.app.engines.prepare import prepare
    from signfed.app.report.closing import print_closing
    from signfed.app.runs import folder as run_folder

    exit_codes = {run_folder.FINISHED: 0, run_folder.FAILED: 1, run_folder.INTERRUPTED: 130}
    simulation = None
    with refusing():
        if engine is Engine.flower:
            simulation = Simulation(supernodes, cpus_per_client, gpus_per_client)
        values = asked_for(given_keys(config or []), out_dir, resume)
        prepared = prepare(
            values,
            reach="omniscient" if simulation else "server",
            simulation=simulation,
            parent=Path.cwd(),
        )
    path, byzantine_ids = prepared.path, prepared.config.byzantine_ids
    out.print(f"run folder {path}", soft_wrap=True, highlight=False)
    if simulation is None:
        status = launch.on_local(prepared, out)
    else:
        num_rounds = prepared.config.num_rounds
        if prepared.config.resume:
            run_folder.reopen(path, prepared.done)
        del prepared  # the data are loaded again where they are needed
        values["out-dir"] = str(path)
        status = launch.on_flower(values, simulation.federation, num_rounds, out)
    if status == run_folder.INTERRUPTED:
        err.print("[yellow]interrupted[/yellow]")
    elif status != run_folder.FINISHED:
        error = run_folder.read_summary(path).get("error", "see above")
        err.print(f"[red]the run failed:[/red] {escape(error)}", soft_wrap=True)
    print_closing(out, path, byzantine_ids)
    raise typer.Exit(exit_codes[status])
