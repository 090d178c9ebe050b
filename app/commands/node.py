"""`signfed node`: a device of a federation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from signfed.app.commands.answer import (
    Format,
    FormatOption,
    answer,
    answer_findings,
    answering,
)

node = typer.Typer(
    help="A device of a federation: its key, its request, its start.", no_args_is_help=True
)
NodeFolder = Annotated[Path, typer.Option("--home", help="folder of the node")]
DEFAULT_HOME = Path("~/.signfed/node")


@node.command()
def request(
    out_file: Annotated[Path, typer.Option("--out", help="the request, such as pi-1.csr")],
    home: NodeFolder = DEFAULT_HOME,
    name: Annotated[str, typer.Option(help="of the node; default: the file's")] = "",
    form: FormatOption = Format.text,
) -> None:
    """Make this device's key, which stays here, and a request for the server."""
    from signfed.app.federation import device

    with answering("node request", form):
        result = device.request(out_file, home, name)
    answer("node request", form, result)


@node.command()
def install(
    bundle: Annotated[Path, typer.Argument(help="what `signfed federation approve` wrote")],
    fingerprint: Annotated[
        str, typer.Option(help="of the federation's authority, told to you by its server's owner")
    ],
    home: NodeFolder = DEFAULT_HOME,
    data_dir: Annotated[
        str | None, typer.Option(help="this device's data; default: as before, or the bundle's")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="on loopback, for Flower's own processes; default: as before, or 9094",
        ),
    ] = None,
    start: Annotated[
        bool, typer.Option("--start", help="start the node with systemd, anew where it runs")
    ] = False,
    new_authority: Annotated[
        bool,
        typer.Option(
            "--new-authority", help="the server's owner replaced the authority: trust this one only"
        ),
    ] = False,
    form: FormatOption = Format.text,
) -> None:
    """Check the server's bundle and set this device up: start script and systemd unit."""
    from signfed.app.federation import device

    with answering("node install", form):
        result = device.install(
            bundle, fingerprint, home,
            data_dir=data_dir, port=port, start=start, new_authority=new_authority,
        )  # fmt: skip
    answer("node install", form, result)


@node.command()
def doctor(
    home: NodeFolder = DEFAULT_HOME,
    config: Annotated[
        list[str] | None,
        typer.Option("--run-config", "-c", help="as of the runs, to try their task"),
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Check this device, and name the command that mends each finding; exit code 1 for an error."""
    from signfed.app.commands.data import workload_of
    from signfed.app.federation.doctor.node import examine_device

    with answering("node doctor", form):
        findings = examine_device(home, workload=workload_of(config) if config else None)
    answer_findings("node doctor", form, findings)
