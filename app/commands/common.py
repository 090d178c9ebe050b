"""What the commands share: two consoles, `-c`, and the refusal of what cannot be run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from signfed.app.config.own_modules import find_own_modules
from signfed.app.errors import ConfigError

CONFIG_EXIT = 2
out, err = Console(), Console(stderr=True)
RunConfigOption = Annotated[
    list[str] | None,
    typer.Option("--run-config", "-c", help="\"key=value key='text' ...\"; see: signfed list"),
]


def check_file(option: str, file: Path) -> None:
    """Raise ConfigError where a file cannot be written, before any work is done for it.

    Parameters
    ----------
    option : str
        What names the file, such as "--out".
    file : Path
    """
    folder = file.absolute().parent
    other = file.exists() and not file.is_file()  # a folder, or a device that would be replaced
    if other or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(
            f"{option}: expected a file in a folder that exists and can be written to; got {file}"
        )


@contextmanager
def gone_on_with() -> Iterator[None]:
    """Refuse as `refusing` does; an interrupt ends with exit code 130, and with what to do then."""
    from signfed.app.engines.signals import Interruptible

    try:
        with Interruptible(), refusing():
            yield
    except KeyboardInterrupt:
        err.print("[yellow]interrupted[/yellow]; the same command goes on")
        raise typer.Exit(130) from None


@contextmanager
def refusing() -> Iterator[None]:
    """Say what is wrong with what was asked for, and end with exit code 2.

    Within it modules of the folder where the command was started can be imported.
    """
    try:
        find_own_modules(Path.cwd())
        yield
    except ValueError as error:
        from signfed.app.task import DataMissing  # slow, and only here

        if not isinstance(error, ConfigError | DataMissing):
            raise
        _refuse(str(error))
    except PermissionError as error:
        if error.filename is None:  # not of a file: nobody asked for it
            raise
        _refuse(f"{error.filename}: expected a path that you may use, got {error.strerror!r}; "
                "change its owner or mode, or name another")  # fmt: skip


def _refuse(message: str) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(CONFIG_EXIT) from None
