"""`signfed data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signfed.app.commands.common import RunConfigOption, check_file, out, refusing
from signfed.app.errors import ConfigError

if TYPE_CHECKING:
    from signfed.app.task.workload import Workload


def data(
    config: RunConfigOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="a device's own data, read as a device would (task='own-data')"),
    ] = None,
    out_file: Annotated[Path, typer.Option("--out", help="PNG")] = Path("holdings.png"),
) -> None:
    """Show who holds which training samples: a table, and a picture."""
    if folder is not None:
        return _own(folder, config or [], out_file)
    from signfed.app.config.pairs import given_keys
    from signfed.app.config.run_config import parse
    from signfed.app.report.holdings import draw_holdings, print_holdings
    from signfed.app.task import Classification, problem_of
    from signfed.app.task.partitions import holdings

    with refusing():
        check_file("--out", out_file)
        workload = parse(given_keys(config or [])).workload
        problem = problem_of(workload)
        if not isinstance(problem, Classification):
            raise ConfigError(f"task={workload.task!r} has no samples that a worker could hold")
        held = holdings(problem.shards, problem.labels, problem.num_classes)
        print_holdings(held, problem.batch_sizes(), out)
        if kept := len(problem.server_shard):
            out.print(f"the server keeps {kept} more samples for itself", highlight=False)
        options = ", ".join(str(value) for _, value in workload.partition_options)
        title = f"{workload.task}, {workload.partition}" + (f" ({options})" if options else "")
        draw_holdings(held, title, out_file)
    out.print(f"picture {out_file}", soft_wrap=True, highlight=False)


def workload_of(config: list[str]) -> Workload:
    """Return what a run config says of data; the task is `own-data` unless it names another.

    Parameters
    ----------
    config : list of str
        As `-c` takes it.
    """
    from signfed.app.config.pairs import given_keys
    from signfed.app.config.run_config import parse

    return parse({"task": "own-data"} | given_keys(config)).workload


def _own(folder: Path, config: list[str], out_file: Path) -> None:
    """What a node with this data-dir would train on, or what is wrong with it."""
    from signfed.app.report.samples import draw_samples, print_own
    from signfed.app.task.datasets.own_files import read
    from signfed.app.task.datasets.schema import Schema

    with refusing():
        check_file("--out", out_file)
        workload = workload_of(config)
        if workload.task != "own-data":
            raise ConfigError(f"--dir: expected task='own-data'; got {workload.task!r}")
        schema = Schema(**dict(workload.task_options))
        x, y = read(folder.expanduser().absolute(), schema)
        print_own(y, schema.names, workload.batch_size, out)
        if schema.kind != "images":
            return
        draw_samples(x, y, schema.names, out_file)
    out.print(f"picture {out_file}", soft_wrap=True, highlight=False)
