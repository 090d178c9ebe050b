"""The command line: each command is a file of `commands`, registered here.

`bound` is called through a function of this file, since its own loads NumPy and all bounds.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from signfed.app.commands.check import check
from signfed.app.commands.common import out, refusing
from signfed.app.commands.data import data
from signfed.app.commands.doctor import doctor
from signfed.app.commands.export import export
from signfed.app.commands.federation import federation
from signfed.app.commands.list import list_
from signfed.app.commands.new import new
from signfed.app.commands.node import node
from signfed.app.commands.redteam import redteam
from signfed.app.commands.report import report
from signfed.app.commands.reproduce import reproduce
from signfed.app.commands.run import run
from signfed.app.commands.score import score
from signfed.app.commands.sweep import sweep
from signfed.app.commands.tournament import tournament

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(run)
app.command()(score)
app.command()(redteam)
app.command()(reproduce)
app.command()(sweep)
app.command()(report)
app.command()(export)
app.command()(data)
app.command()(check)
app.command()(new)
app.command()(tournament)
app.command()(doctor)
app.command(name="list")(list_)
app.add_typer(federation, name="federation")
app.add_typer(node, name="node")


def _version(wanted: bool) -> None:
    if wanted:
        from signfed.app.runs.versions import versions

        typer.echo(f"signfed {versions()['signfed']}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print it, and end")
    ] = False,
) -> None:
    """Byzantine-robust federated learning at one bit per coordinate, on Flower."""


@app.command()
def bound(
    name: Annotated[str | None, typer.Argument(help="which bound; none lists them all")] = None,
    arguments: Annotated[list[str] | None, typer.Argument(help="key=value ...")] = None,
) -> None:
    """Evaluate one of the papers' bounds, with its domain and reference."""
    from signfed.app.commands.bound import bound as evaluate_bound

    with refusing():
        evaluate_bound(name, arguments or [], out)


def main() -> None:
    """Start the command line; what the terminal cannot show is replaced, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()


if __name__ == "__main__":
    main()
