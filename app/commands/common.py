"""What the commands share: two consoles, `-c`, and the refusal of what cannot be run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from signfed.app.errors import ConfigError

CONFIG_EXIT = 2
out, err = Console(), Console(stderr=True)
RunConfigOption = Annotated[
    list[str] | None,
    typer.Option("--run-config", "-c", help="\"key=value key='text' ...\"; see: signfed list"),
]


@contextmanager
def refusing() -> Iterator[None]:
    """Say what is wrong with what was asked for, and end with exit code 2.

    Within it modules of the folder where the command was started can be imported.
    """
    sys.path.insert(0, os.getcwd())
    try:
        yield
    except ValueError as error:
        from signfed.app.task import DataMissing  # slow, and only here

        if not isinstance(error, ConfigError | DataMissing):
            raise
        err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(CONFIG_EXIT) from None
