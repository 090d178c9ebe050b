"""How the commands of a federation answer: tables and sentences for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from signfed.app.commands.common import CONFIG_EXIT, err, out
from signfed.app.errors import ConfigError

if TYPE_CHECKING:
    from signfed.app.doctor.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}
FOUND_ERROR = 1  # exit code of a doctor


class Format(StrEnum):
    """For whom an answer is."""

    text = "text"
    json = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help='text, or json: {"command", "ok", "result" | "error"}')
]


@contextmanager
def answering(command: str, form: Format) -> Iterator[None]:
    """Turn what is wrong with what was asked for into an answer, and exit code 2.

    Parameters
    ----------
    command : str
        Such as "federation init".
    form : Format
    """
    try:
        yield
    except (ConfigError, OSError) as error:
        if form is Format.json:
            typer.echo(json.dumps({"command": command, "ok": False, "error": str(error)}))
        else:
            err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(CONFIG_EXIT) from None


def answer(
    command: str,
    form: Format,
    result: Mapping[str, Any],
    show: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Print a result.

    Parameters
    ----------
    command : str
    form : Format
    result : mapping
        What JSON can hold.
    show : callable, optional
        Prints it for a person; a line per key by default.
    """
    if form is Format.json:
        typer.echo(json.dumps({"command": command, "ok": True, "result": dict(result)}))
    elif show:
        show(result)
    else:
        for key, value in result.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            out.print(f"{key:12} {escape(shown or '-')}", soft_wrap=True, highlight=False)


def answer_findings(command: str, form: Format, findings: list[Finding]) -> None:
    """Print what a doctor found; exit code 1 when an error is among it.

    Parameters
    ----------
    command : str
    form : Format
    findings : list of Finding
    """
    sound = all(finding.level != "error" for finding in findings)
    if form is Format.json:
        found = [asdict(finding) for finding in findings]
        typer.echo(json.dumps({"command": command, "ok": sound, "findings": found}))
    else:
        for finding in findings:
            level = f"[{COLOURS[finding.level]}]{finding.level:7}[/]"
            line = f"{level} {finding.check:18} {escape(finding.found)}"
            out.print(line, soft_wrap=True, highlight=False)
            if finding.remedy:
                out.print(f"{'':26} -> {escape(finding.remedy)}", soft_wrap=True, highlight=False)
    if not sound:
        raise typer.Exit(FOUND_ERROR)
