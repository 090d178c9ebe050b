"""`signfed check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn

from signfed.app.commands.answer import Format
from signfed.app.commands.common import RunConfigOption, check_file, out, refusing


def check(
    name: Annotated[str, typer.Argument(help="a rule or an attack, or your own as module:Name")],
    config: RunConfigOption = None,
    seconds: Annotated[float, typer.Option(min=1, help="for all of it, about")] = 50.0,
    laws_only: Annotated[bool, typer.Option("--laws", help="no search, no training")] = False,
    form: Annotated[Format, typer.Option("--format", help="text or json")] = Format.text,
    file: Annotated[Path | None, typer.Option("--out", help="JSON of all of it")] = None,
) -> None:
    """Examine a rule: its laws, how many colluders take it, its cost, its accuracy.

    Of an attack: whether it keeps the form of one, and how hard it bites.
    -c takes its options (for your own: strategy-options='key=value' or attack-options), and
    pre-aggregation and server-samples for a rule; all else is the check's own.
    Exit code 0: no law is broken but scale or shift, which hold for some kinds of rules only. 1:
    some other law is broken. 2: there is no such rule or attack.
    """
    from signfed.app.check.examine import examine_attack, examine_rule, is_attack
    from signfed.app.check.show import print_check
    from signfed.app.config.pairs import given_keys
    from signfed.app.runs.json_files import write_json

    with refusing():
        if file:
            check_file("--out", file)
        keys = dict(given_keys(config or []))
        examine = examine_attack if is_attack(name) else examine_rule
        bar = Progress(SpinnerColumn(), TextColumn("{task.description}"), console=out,
                       transient=True, disable=form is Format.json)  # fmt: skip
        with bar:
            at = bar.add_task("laws")
            found = examine(
                name, keys, seconds, laws_only,
                lambda text: bar.update(at, description=escape(text)),
            )  # fmt: skip
        if file:
            write_json(file, found)
        if form is Format.json:
            print(json.dumps(found))
        else:
            print_check(out, found)
    broken = [each for each in found["laws"] if each["holds"] is False and each.get("must", True)]
    raise typer.Exit(1 if broken else 0)
