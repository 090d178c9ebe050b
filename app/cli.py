"""The command line: `signfed run`, `list`, `data`, ..."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from signfed.app.report.closing import print_closing
from signfed.app.runs import folder as run_folder
from signfed.app.runs.folder import FAILED, FINISHED, INTERRUPTED

CONFIG_EXIT = 2
EXIT_CODES = {FINISHED: 0, FAILED: 1, INTERRUPTED: 130}


class Engine(StrEnum):
    """Who runs the rounds."""

    flower = "flower"
    local = "local"


app = typer.Typer(
    help="Byzantine-robust federated learning at one bit per coordinate, on Flower.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)


@app.command()
def run(
    config: Annotated[
        list[str] | None,
        typer.Option("--run-config", "-c", help="\"key=value key='text' …\"; see: signfed list"),
    ] = None,
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
    supernodes: Annotated[int, typer.Option(help="simulated nodes that share the workers")] = 2,
    cpus_per_client: Annotated[int, typer.Option(help="CPUs for one node at work")] = 1,
    gpus_per_client: Annotated[float, typer.Option(help="share of a GPU for one node")] = 0.0,
) -> None:
    """Simulate one federation on this machine; on a CPU the engine does not change the result.

    Exit code 0 only when the run finished. 2: the configuration cannot be, nothing was started.
    1: the run failed. 130: interrupted.
    """
    from signfed.app.config.prepare import asked_for
    from signfed.app.engines import launch as engines
    from signfed.app.engines.prepare import prepare
    from signfed.app.errors import ConfigError
    from signfed.app.task import DataMissing

    sys.path.insert(0, os.getcwd())  # for a strategy of one's own
    on_flower = engine is Engine.flower
    try:
        values = asked_for(config or [], out_dir, resume)
        prepared = prepare(
            values,
            reach="omniscient" if on_flower else "server",
            gpus_per_client=gpus_per_client if on_flower else None,
            parent=Path.cwd(),
        )
        num_workers = prepared.config.workload.num_workers
        if not 1 <= supernodes <= num_workers:
            raise ConfigError(
                f"--supernodes: expected 1 to num-workers = {num_workers}; got {supernodes}"
            )
    except (ConfigError, DataMissing) as error:
        _refuse(error)
    path, byzantine_ids = prepared.path, prepared.config.byzantine_ids
    out.print(f"run folder {path}", soft_wrap=True, highlight=False)
    if not on_flower:
        status = engines.on_local(prepared, out)
    else:
        num_rounds = prepared.config.num_rounds
        if prepared.config.resume:
            run_folder.reopen(path, prepared.done)
        del prepared  # the data are loaded again where they are needed
        federation = (
            f"num-supernodes={supernodes} client-resources-num-cpus={cpus_per_client} "
            f"client-resources-num-gpus={float(gpus_per_client)}"
        )
        values["out-dir"] = str(path)
        status = engines.on_flower(values, federation, num_rounds, out)
    if status == INTERRUPTED:
        err.print("[yellow]interrupted[/yellow]")
    elif status != FINISHED:
        error = run_folder.read_summary(path).get("error", "see above")
        err.print(f"[red]the run failed:[/red] {escape(error)}", soft_wrap=True)
    print_closing(out, path, byzantine_ids)
    raise typer.Exit(EXIT_CODES[status])


@app.command()
def score(
    path: Annotated[Path, typer.Argument(help="folder of a finished run")],
    control: Annotated[
        Path | None,
        typer.Option(help="the same run without attack; default: run it, into PATH/control"),
    ] = None,
) -> None:
    """What the attack cost: accuracy beside the same run without it, and how the rule saw it."""
    from signfed.app.errors import ConfigError
    from signfed.app.report.impact import control_of, print_impact
    from signfed.app.task import DataMissing

    sys.path.insert(0, os.getcwd())
    try:
        print_impact(out, path, control or control_of(path))
    except (ConfigError, DataMissing) as error:
        _refuse(error)


@app.command()
def redteam(
    strategies: Annotated[str, typer.Option(help="rules, 'sign-mv,sign-fd', or all")],
    attacks: Annotated[str, typer.Option(help="attacks, 'lie,min-max', or all")] = "all",
    config: Annotated[
        list[str] | None, typer.Option("--run-config", "-c", help="of all runs, as in signfed run")
    ] = None,
    grid: Annotated[int, typer.Option(min=2, help="values of a range that are tried first")] = 4,
    refinements: Annotated[int, typer.Option(min=0, help="times to halve in on the worst")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="runs of each trial")] = 1,
    out_file: Annotated[Path, typer.Option("--out", help="JSON of all trials")] = Path(
        "redteam.json"
    ),
) -> None:
    """Search each attack's parameters for the worst final accuracy of each rule, on the fleet."""
    from signfed.app.commands.redteam import command
    from signfed.app.config.pairs import given_keys
    from signfed.app.errors import ConfigError
    from signfed.app.task import DataMissing

    sys.path.insert(0, os.getcwd())
    try:
        command(
            given_keys(config or []), strategies, attacks, out_file, out,
            grid=grid, refinements=refinements, seeds=seeds,
        )  # fmt: skip
    except (ConfigError, DataMissing) as error:
        _refuse(error)


@app.command()
def bound(
    name: Annotated[str | None, typer.Argument(help="which bound; none lists them all")] = None,
    arguments: Annotated[list[str] | None, typer.Argument(help="key=value ...")] = None,
) -> None:
    """Evaluate one of the papers' bounds, with its domain and reference."""
    from signfed.app.commands.bound import bound as evaluate_bound
    from signfed.app.errors import ConfigError

    try:
        evaluate_bound(name, arguments or [], out)
    except ConfigError as error:
        _refuse(error)


@app.command()
def data(
    config: Annotated[
        list[str] | None, typer.Option("--run-config", "-c", help="as in signfed run")
    ] = None,
    out_file: Annotated[Path, typer.Option("--out", help="PNG")] = Path("holdings.png"),
) -> None:
    """Who holds which training samples: a table, and a picture."""
    from signfed.app.config.pairs import given_keys
    from signfed.app.errors import ConfigError
    from signfed.app.report.holdings import command
    from signfed.app.task import DataMissing

    sys.path.insert(0, os.getcwd())
    try:
        command(given_keys(config or []), out_file, out)
    except (ConfigError, DataMissing) as error:
        _refuse(error)


@app.command(name="list")
def list_() -> None:
    """Strategies, attacks, tasks, models, encoders, and every run-config key with its default."""
    from signfed.app.commands.list import print_all

    print_all(out)


def _refuse(error: Exception) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(CONFIG_EXIT) from None


if __name__ == "__main__":
    app()
