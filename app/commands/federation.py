"""`signfed federation`: a federation of real devices, on its server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from signfed.app.commands.answer import (
    Format,
    FormatOption,
    answer,
    answer_findings,
    answering,
)
from signfed.app.commands.common import out
from signfed.app.errors import ConfigError

federation = typer.Typer(
    help="A federation of real devices: certificates, keys, who may take part. On its server.",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(help="folder of the federation")]
TrialFolder = Annotated[Path, typer.Option("--dir", help="folder of the trial")]
TRIAL = Path("signfed-trial")
Days = Annotated[
    int | None, typer.Option(min=1, help="days for which the node takes part; default: 365")
]


@federation.command()
def init(
    folder: Folder,
    host: Annotated[
        list[str], typer.Option(help="name or address of this server; nodes connect to the first")
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="of the SuperLink")] = 8000,
    bind: Annotated[str, typer.Option(help="address that the SuperLink listens on")] = "0.0.0.0",
    name: Annotated[str, typer.Option(help="of the federation; default: the folder's")] = "",
    partitions: Annotated[int, typer.Option(min=1, help="the most nodes")] = 1000,
    form: FormatOption = Format.text,
) -> None:
    """Make a federation: authority, server certificate, start script, unit, connection."""
    from signfed.app.federation import setup

    with answering("federation init", form):
        result = setup.init(
            folder, host, name=name, port=port, bind=bind, num_partitions=partitions
        )
    answer("federation init", form, result)


@federation.command()
def approve(
    folder: Folder,
    request: Annotated[Path, typer.Argument(help="what `signfed node request` wrote")],
    partition: Annotated[
        int | None, typer.Option(min=0, help="of the node; default: the lowest that is free")
    ] = None,
    data_dir: Annotated[str, typer.Option(help="where the device has its data")] = "",
    days: Days = None,
    form: FormatOption = Format.text,
) -> None:
    """Let a device take part: register its key, bind it to a partition, write its bundle."""
    from signfed.app.federation import nodes

    with answering("federation approve", form):
        result = nodes.approve(folder, request, partition=partition, data_dir=data_dir, days=days)
    answer("federation approve", form, result)


federation.command(name="add", help="The same as approve: one more site, all others untouched.")(
    approve
)


@federation.command()
def remove(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="of the node")],
    form: FormatOption = Format.text,
) -> None:
    """End a node's participation at the next round; its key never comes back."""
    from signfed.app.federation import nodes

    with answering("federation remove", form):
        result = nodes.remove(folder, name)
    answer("federation remove", form, result)


@federation.command(name="list")
def list_(folder: Folder, form: FormatOption = Format.text) -> None:
    """Show the nodes, what the SuperLink says of each, and what expires when."""
    from signfed.app.federation.overview import overview

    with answering("federation list", form):
        result = overview(folder)
    answer("federation list", form, result, _show_overview)


@federation.command()
def rotate(
    folder: Folder,
    host: Annotated[
        list[str] | None, typer.Option(help="one more name or address of this server")
    ] = None,
    node: Annotated[
        str, typer.Option(help="renew this node's approval, in place of the server's certificate")
    ] = "",
    authority: Annotated[
        bool, typer.Option("--authority", help="renew the authority; both are trusted for a while")
    ] = False,
    revoke: Annotated[
        bool,
        typer.Option("--revoke", help="with --authority: another key, since this one may be known"),
    ] = False,
    days: Days = None,
    form: FormatOption = Format.text,
) -> None:
    """Renew what expires while the federation runs: certificate, a node's time, or authority."""
    from signfed.app.federation import renewal
    from signfed.app.federation.authority import renew_authority, replace_authority

    with answering("federation rotate", form):
        if bool(node) + bool(host) + authority > 1:
            raise ConfigError("expected one of --node, --host and --authority")
        if revoke and not authority:
            raise ConfigError("--revoke: expected --authority beside it")
        if days and not node:
            raise ConfigError("--days: expected --node beside it, whose time it is")
        if authority:
            result = replace_authority(folder) if revoke else renew_authority(folder)
        elif node:
            result = renewal.renew(folder, node, days)
        else:
            result = renewal.rotate(folder, host or [])
    answer("federation rotate", form, result)


@federation.command()
def doctor(folder: Folder, form: FormatOption = Format.text) -> None:
    """Check this server, and name the command that mends each finding; exit code 1 for an error."""
    from signfed.app.federation.doctor.server import examine_server

    with answering("federation doctor", form):
        findings = examine_server(folder)
    answer_findings("federation doctor", form, findings)


@federation.command()
def up(
    nodes: Annotated[int, typer.Argument(min=1, help="how many")],
    folder: TrialFolder = TRIAL,
    data_dir: Annotated[
        Path | None, typer.Option(help="its folders 0, 1, ... are the nodes' own data")
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Start a trial on this machine: a SuperLink and nodes, with TLS and keys as in earnest."""
    from signfed.app.federation import trial

    with answering("federation up", form):
        result = trial.up(folder, nodes, data_dir)
    answer("federation up", form, result, _show_trial)


@federation.command()
def status(folder: TrialFolder = TRIAL, form: FormatOption = Format.text) -> None:
    """Show which processes of a trial run."""
    from signfed.app.federation import trial

    with answering("federation status", form):
        result = trial.status(folder)
    answer("federation status", form, result, _show_trial)


@federation.command()
def down(folder: TrialFolder = TRIAL, form: FormatOption = Format.text) -> None:
    """End the processes of a trial; its files stay."""
    from signfed.app.federation import trial

    with answering("federation down", form):
        result = trial.down(folder)
    answer("federation down", form, result)


def _show_trial(result: Mapping[str, Any]) -> None:
    for name, state in result["processes"].items():
        out.print(f"{name:10} {state}", highlight=False)
    out.print(escape(result["run"]), soft_wrap=True, highlight=False)


def _show_overview(result: Mapping[str, Any]) -> None:
    table = Table("partition", "node", "status", "expires", "key (SHA-256)")
    for node in result["nodes"]:
        table.add_row(
            str(node["partition"]), escape(node["name"]), node["status"], node["expires"],
            node["key"][:16],
        )  # fmt: skip
    for key in ("federation", "address", "fingerprint", "superlink"):
        out.print(f"{key:20} {escape(result[key])}", soft_wrap=True, highlight=False)
    for key in ("ca_expires", "certificate_expires"):
        out.print(f"{key.replace('_', ' '):20} {result[key]}", highlight=False)
    out.print(table)
