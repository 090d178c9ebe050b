"""The command line: `signfed run`, `list`, `data`, ..."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from signfed.app.config.own_modules import find_own_modules
from signfed.app.report.closing import print_closing, print_end
from signfed.app.runs.folder import DIVERGED, FAILED, FINISHED, INTERRUPTED

CONFIG_EXIT = 2
EXIT_CODES = {FINISHED: 0, FAILED: 1, DIVERGED: 1, INTERRUPTED: 130}


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
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster for the nodes; default: one of its own")
    ] = None,
) -> None:
    """Simulate one federation on this machine; on a CPU the engine does not change the result.

    Exit code 0 only when the run finished. 2: the configuration is wrong, nothing was started.
    1: the run failed or diverged. 130: interrupted by Ctrl-C, SIGTERM or SIGHUP.
    """
    from signfed.app.config.prepare import prepared
    from signfed.app.engines import launch as engines
    from signfed.app.engines.signals import Interruptible
    from signfed.app.errors import ConfigError
    from signfed.app.task import DataMissing

    signals = Interruptible()
    try:
        with signals:
            find_own_modules(Path.cwd())
            gpus = gpus_per_client if engine is Engine.flower else None
            values, checked = prepared(config or [], out_dir, resume, supernodes, gpus)
            path = Path(values["out-dir"])
            out.print(f"run folder {path}", soft_wrap=True, highlight=False)
            if engine is Engine.local:
                status = engines.on_local(values, checked.num_rounds, out, signals)
            else:
                federation = (
                    f"num-supernodes={supernodes} client-resources-num-cpus={cpus_per_client} "
                    f"client-resources-num-gpus={float(gpus_per_client)}"
                )
                status = engines.on_flower(values, federation, checked.num_rounds, out, ray_address)
    except (ConfigError, DataMissing) as error:
        _refuse(error)
    except KeyboardInterrupt:
        err.print("[yellow]interrupted before the run began[/yellow]")
        raise typer.Exit(EXIT_CODES[INTERRUPTED]) from None
    print_closing(out, path, checked.byzantine_ids)
    print_end(err, path, status)
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

    try:
        find_own_modules(Path.cwd())
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
    from signfed.app.config.prepare import given_keys
    from signfed.app.errors import ConfigError
    from signfed.app.task import DataMissing

    try:
        find_own_modules(Path.cwd())
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
    from signfed.app.config.prepare import given_keys
    from signfed.app.errors import ConfigError
    from signfed.app.report.holdings import command
    from signfed.app.task import DataMissing

    try:
        find_own_modules(Path.cwd())
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
