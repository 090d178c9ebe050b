"""`signfed export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from signfed.app.commands.common import out, refusing


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="a run folder, or the folder of a sweep")
    ],
    file: Annotated[Path, typer.Option("--out", help="the FILE.zip that is made")],
    licence: Annotated[
        str, typer.Option(help="of your results: a URL, or a name; default: none is claimed")
    ] = "",
) -> None:
    """Pack a run or a sweep as an RO-Crate: its files, parameters and software, described."""
    from signfed.app.report.crate import export as pack

    with refusing():
        out.print(f"RO-Crate {pack(folder, file, licence)}", soft_wrap=True, highlight=False)
