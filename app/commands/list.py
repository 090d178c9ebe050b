"""`signfed list`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from signfed.app.commands.common import out


def list_(
    toml: Annotated[bool, typer.Option("--toml", help="run-config keys as in pyproject")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="run-config keys as in docs/options.md")
    ] = False,
) -> None:
    """List partitions, rules, pre-aggregations, encoders, attacks, models, tasks, and all keys."""
    from signfed.app.config import keys

    if toml or markdown:
        typer.echo(keys.as_toml() if toml else keys.as_markdown(), nl=False)
        return
    from signfed.app.task import MODELS, TASKS

    for kind, owners in keys.OWNERS.items():
        if kind == "task":
            continue  # here are those with options; all come below
        _print(kind, {name: thing.__doc__ for name, thing in owners.items()})
    _print("model", {name: model.__doc__ for name, model in MODELS.items()})
    _print("task", {name: task.description for name, task in TASKS.items()})
    table = Table(title="run config (-c)", title_justify="left")
    table.add_column("key", no_wrap=True)
    table.add_column("default", max_width=13, overflow="fold")
    table.add_column("meaning")
    for key, option in keys.KEYS.items():
        takes = "" if option.kind in (str, bool) and not option.names else f" ({option.expected})"
        table.add_row(key, *map(escape, (keys.written(option), option.help + takes)))
    out.print(table)


def _print(title: str, docs: Mapping[str, str | None]) -> None:
    table = Table(title, "", title_justify="left")
    table.columns[0].no_wrap = True
    for name, doc in docs.items():
        summary = " ".join((doc or "").split("\n\n")[0].split())
        table.add_row(name, escape(summary))
    out.print(table)
