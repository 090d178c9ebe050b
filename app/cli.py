"""The command line: `signfed run`, `list` and `bound`."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app import run_folder
from app.report.closing import print_closing
from app.run_folder import FAILED, FINISHED, INTERRUPTED, RUNNING

CONFIG_EXIT, FAILED_EXIT, INTERRUPTED_EXIT = 2, 1, 130
POLL = 0.2  # seconds between two looks into the run folder
FLOWER_CHECK = 30.0  # seconds between two questions to Flower, each of which starts a process
PAIR = re.compile(r"(\S+?)=('[^']*'|\"[^\"]*\"|\S+)")

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
    supernodes: Annotated[int, typer.Option(help="simulated nodes that share the workers")] = 2,
    cpus_per_client: Annotated[int, typer.Option(help="CPUs for one node at work")] = 1,
    gpus_per_client: Annotated[float, typer.Option(help="share of a GPU for one node")] = 0.0,
) -> None:
    """Simulate one federation on this machine. Exit code 0 only when the run finished.

    2: the configuration cannot be, nothing was started. 1: the run failed. 130: interrupted.
    """
    from app.keys import ConfigError
    from app.task import DataMissing

    sys.path.insert(0, os.getcwd())  # for a strategy of one's own
    try:
        values, checked = _prepare(config or [], out_dir, supernodes, gpus_per_client)
    except (ConfigError, DataMissing) as error:
        _refuse(error)
    federation = (
        f"num-supernodes={supernodes} client-resources-num-cpus={cpus_per_client} "
        f"client-resources-num-gpus={float(gpus_per_client)}"
    )
    path = Path(values["out-dir"])
    code = _supervise(path, values, federation, checked.num_rounds)
    print_closing(out, path, checked.byzantine_ids)
    raise typer.Exit(code)


@app.command()
def bound(
    name: Annotated[str | None, typer.Argument(help="which bound; none lists them all")] = None,
    arguments: Annotated[list[str] | None, typer.Argument(help="key=value ...")] = None,
) -> None:
    """Evaluate one of the papers' bounds, with its domain and reference."""
    from app.bound import bound as evaluate_bound
    from app.keys import ConfigError

    try:
        evaluate_bound(name, arguments or [], out)
    except ConfigError as error:
        _refuse(error)


@app.command(name="list")
def list_() -> None:
    """Strategies, attacks, tasks, encoders, and every run-config key with its default."""
    from app.keys import KEYS
    from app.task import TASKS
    from attacks import ATTACKS
    from clients import ENCODERS
    from strategies import STRATEGIES

    _names("strategy", {name: kind.__doc__ for name, kind in STRATEGIES.items()})
    _names("attack", {name: attack.function.__doc__ for name, attack in ATTACKS.items()})
    _names("task", {name: task.description for name, task in TASKS.items()})
    _names("encoder", {name: factory.__doc__ for name, factory in ENCODERS.items()})
    table = Table("key", "default", "meaning", title="run config (-c)", title_justify="left")
    for name, key in KEYS.items():
        shown = repr(key.default).lower() if isinstance(key.default, bool) else repr(key.default)
        table.add_row(name, shown, escape(key.help))
    out.print(table)


def _refuse(error: Exception) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(CONFIG_EXIT) from None


def _names(title: str, docs: dict[str, str | None]) -> None:
    table = Table(title, "", title_justify="left")
    for name, doc in docs.items():
        table.add_row(name, escape((doc or "").strip().splitlines()[0]))
    out.print(table)


def _prepare(
    config: list[str], out_dir: str | None, supernodes: int, gpus_per_client: float
) -> tuple[dict[str, Any], Any]:
    """Everything that can be found wrong before anything is started."""
    from app.config import build_strategy, check_machine, parse
    from app.keys import ConfigError
    from app.task import TASKS

    values = _read(config)
    if out_dir is not None:
        if "out-dir" in values:
            raise ConfigError("out-dir: expected either --out or -c out-dir, got both")
        values["out-dir"] = out_dir
    checked = parse(values)
    workload = checked.workload
    if not 1 <= supernodes <= workload.num_workers:
        raise ConfigError(
            f"--supernodes: expected 1 to num-workers = {workload.num_workers}; got {supernodes}"
        )
    build_strategy(checked)
    check_machine(checked, gpus_per_client)
    # Flower's processes run elsewhere: no path may be relative.
    values["data-dir"] = str(Path(workload.data_dir).expanduser().resolve())
    TASKS[workload.task].problem(replace(workload, data_dir=values["data-dir"]))
    named = checked.out_dir and Path(checked.out_dir).expanduser()
    labels = (workload.task, checked.strategy.name, checked.attack.name)
    values["out-dir"] = str((named or run_folder.new_path(Path.cwd(), *labels)).resolve())
    return values, checked


def _read(config: list[str]) -> dict[str, Any]:
    """Flower's own syntax; what it would silently pass over is an error here."""
    import click
    from flwr.common.config import parse_config_args

    from app.keys import ConfigError

    given = " ".join(config)
    wrong = ConfigError(f"-c: expected key=value pairs, with 'quotes' around text; got {given}")
    if any(PAIR.sub("", text).strip() for text in config if not text.endswith(".toml")):
        raise wrong
    try:
        return dict(parse_config_args(config))
    except click.ClickException:
        raise wrong from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"-c: {error}") from None


def _supervise(path: Path, values: dict[str, Any], federation: str, num_rounds: int) -> int:
    """Start Flower, follow the run folder to its end; returns the exit code."""
    from app.flower import FlowerError, LocalFlower

    out.print(f"run folder {path}", soft_wrap=True, highlight=False)
    status = FAILED
    try:
        with LocalFlower() as flower:
            try:
                run_id = flower.submit(values, federation)
                status = _follow(path, num_rounds, lambda: flower.status(run_id))
            finally:
                if flower.log.exists():
                    path.mkdir(parents=True, exist_ok=True)
                    shutil.copy(flower.log, path / "flower.log")
    except KeyboardInterrupt:
        run_folder.set_status(path, INTERRUPTED)
        err.print("[yellow]interrupted[/yellow]")
        return INTERRUPTED_EXIT
    except FlowerError as error:
        run_folder.set_status(path, FAILED, str(error))
    if status == FINISHED:
        return 0
    if run_folder.read_summary(path).get("status") in (None, RUNNING):
        run_folder.set_status(path, FAILED, f"the run ended early; see {path / 'flower.log'}")
    error = run_folder.read_summary(path).get("error", "")
    err.print(f"[red]the run failed:[/red] {escape(error)}", soft_wrap=True)
    return FAILED_EXIT


def _follow(path: Path, num_rounds: int, flower_status: Callable[[], str]) -> str:
    """Show the rounds as they are written, until the run is over; returns its status."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[news]}"),
    )  # fmt: skip
    reader, dropped, scored = run_folder.RoundsReader(path), 0, ""
    asked = time.monotonic()
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task("starting the nodes", total=num_rounds, news="")
        while True:
            status = run_folder.read_summary(path).get("status", RUNNING)
            for record in reader.new():
                dropped += sum(record["dropped"].values())
                if "test_loss" in record:
                    scored = run_folder.score(record)
                news = scored + (f"  {dropped} updates dropped" if dropped else "")
                progress.update(bar, description="round", completed=record["round"], news=news)
            if status != RUNNING:
                return status
            if time.monotonic() - asked > FLOWER_CHECK:
                asked = time.monotonic()
                if flower_status().startswith("finished"):
                    return run_folder.read_summary(path).get("status", FAILED)
            time.sleep(POLL)


if __name__ == "__main__":
    app()
