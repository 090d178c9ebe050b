"""`signfed list`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signfed.app.config.keys import KEYS
from signfed.app.task import MODELS, PARTITIONS, TASKS
from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.registry import PRE_AGGREGATIONS, STRATEGIES


def print_all(out: Console) -> None:
    """Everything that has a name, and every run-config key with its default."""
    attacks = {name: attack.function for name, attack in ATTACKS.items()}
    for title, docs in (
        ("strategy", STRATEGIES), ("pre-aggregation", PRE_AGGREGATIONS), ("attack", attacks),
        ("model", MODELS), ("partition", PARTITIONS), ("encoder", ENCODERS),
    ):  # fmt: skip
        _names(title, {name: thing.__doc__ for name, thing in docs.items()}, out)
    _names("task", {name: task.description for name, task in TASKS.items()}, out)
    table = Table(title="run config (-c)", title_justify="left")
    for column, wraps in (("key", False), ("default", True), ("meaning", True)):
        table.add_column(column, no_wrap=not wraps)
    for name, key in KEYS.items():
        shown = repr(key.default).lower() if isinstance(key.default, bool) else repr(key.default)
        table.add_row(name, shown, escape(key.option.help))
    out.print(table)


def _names(title: str, docs: dict[str, str | None], out: Console) -> None:
    table = Table(title_justify="left")
    table.add_column(title, no_wrap=True)
    table.add_column()
    for name, doc in docs.items():
        table.add_row(name, escape((doc or "").strip().splitlines()[0]))
    out.print(table)
