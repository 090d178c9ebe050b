"""`signfed report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from signfed.app.commands.common import out, refusing


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="run folders, sweeps, or folders of them"),
    ],
    page: Annotated[
        Path | None,
        typer.Option("--out", help="FILE.html, or a folder; default: report.html in DIR"),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="event files beside the report, too")
    ] = False,
) -> None:
    """Show what runs left: one HTML page, and Markdown, PNG and CSV beside it. Runs nothing."""
    from signfed.app.report.making import make
    from signfed.app.report.reading import Run

    with refusing():
        written, found = make(folders, page)
        out.print(f"report {written}", soft_wrap=True, highlight=False)
        if tensorboard:
            from signfed.app.report.tracking import write_events

            runs = [*found.runs, *(Run(c.path) for sweep in found.sweeps for c in sweep.cells)]
            events = write_events(runs, written.with_suffix(""))
            out.print(f"tensorboard --logdir '{events}'", soft_wrap=True, highlight=False)
