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
) -> None:
    """Pack a run or a sweep as an RO-Crate: its files, parameters and software, described."""
    from signfed.app.report.crate import export as pack

    with refusing():
        out.print(f"RO-Crate {pack(folder, file)}", soft_wrap=True, highlight=False)
