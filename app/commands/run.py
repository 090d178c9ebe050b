"""`signfed run`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

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
        int | None, typer.Option(help="simulated nodes that share the workers (flower); default: 2")
    ] = None,
    cpus_per_client: Annotated[
        int | None, typer.Option(help="CPUs for one node at work (flower); default: 1")
    ] = None,
    gpus_per_client: Annotated[
        float | None, typer.Option(help="share of a GPU for one node (flower); default: 0")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster for the nodes; default: one of its own (flower)")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="write report.html at the end")
    ] = True,
) -> None:
    """Run one federation on this machine; on a CPU the engine does not change the result.

    Exit code 0: the run finished. 1: it failed or diverged. 2: the configuration is wrong and
    nothing was started. 130: it was interrupted, by Ctrl-C, SIGTERM or SIGHUP.
    """
    from signfed.app.config.pairs import given_keys
    from signfed.app.config.simulation import Simulation
    from signfed.app.engines import launch
    from signfed.app.engines.asked import asked_for
    from signfed.app.engines.prepare import prepare
    from signfed.app.engines.signals import Interruptible
    from signfed.app.errors import ConfigError
    from signfed.app.report.closing import print_closing, print_end
    from signfed.app.runs import folder as run_folder

    simulation = None
    signals = Interruptible()
    try:
        with signals, refusing():
            asked: dict[str, Any] = {
                "supernodes": supernodes,
                "cpus_per_client": cpus_per_client,
                "gpus_per_client": gpus_per_client,
                "ray_address": ray_address,
            }
            nodes = {name: value for name, value in asked.items() if value is not None}
            if engine is Engine.flower:
                nodes.pop("ray_address", None)
                simulation = Simulation(**nodes)
            elif nodes:
                option = f"--{next(iter(nodes)).replace('_', '-')}"
                raise ConfigError(f"{option}: expected none with --engine local: it has no nodes")
            values = asked_for(given_keys(config or []), out_dir, resume)
            prepared = prepare(
                values,
                reach="omniscient" if simulation else "server",
                simulation=simulation,
                parent=Path.cwd(),
            )
            path, byzantine_ids = prepared.path, prepared.config.byzantine_ids
            out.print(f"run folder {path}", soft_wrap=True, highlight=False)
            if prepared.config.resume:
                run_folder.reopen(path, prepared.done)
            if simulation is None:
                status = launch.on_local(prepared, out, signals)
            else:
                num_rounds = prepared.config.num_rounds
                del prepared  # the data are loaded again where they are needed
                values["out-dir"] = str(path)
                federation = simulation.federation
                status = launch.on_flower(values, federation, num_rounds, out, ray_address)
    except KeyboardInterrupt:
        err.print("[yellow]interrupted before the run began[/yellow]")
        raise typer.Exit(130) from None
    print_closing(out, path, byzantine_ids)
    begun = bool(run_folder.read_summary(path).get("rounds"))
    if report and begun and status != run_folder.INTERRUPTED:  # then the terminal is wanted back
        _report(path)
    print_end(err, path, status)
    codes = {run_folder.FINISHED: 0, run_folder.INTERRUPTED: 130}
    raise typer.Exit(codes.get(status, 1))


def _report(path: Path) -> None:
    """Write the report; a run that is done does not fail for want of it."""
    from signfed.app.errors import ConfigError
    from signfed.app.report.making import report

    try:
        out.print(f"report {report(path)}", soft_wrap=True, highlight=False)
    except ConfigError as error:
        err.print(f"no report: {error}", style="yellow", markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        err.print("no report: interrupted", style="yellow")
