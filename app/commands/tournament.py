"""`signfed tournament`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from signfed.app.commands.common import gone_on_with, out


def tournament(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="with rules/*.py, attacks/*.py")],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="folder of the results; default: DIR/results")
    ] = None,
    byzantine: Annotated[str, typer.Option(help="of 15 workers, one match each")] = "3,6",
    rounds: Annotated[int, typer.Option(min=1, help="of a match")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="that rules get")] = 0,
    seconds: Annotated[
        float, typer.Option(min=1, help="for all answers of a submission in a match")
    ] = 20.0,
    memory: Annotated[int, typer.Option(min=64, help="MiB for a submission")] = 1024,
) -> None:
    """Let submitted attacks play against submitted rules, and rank both; docs/tournament.md.

    A file is a submission. What was played is not played again. Exit code 0: all were played.
    2: something cannot take part, and nothing was started. 130: interrupted.
    """
    from signfed.app.config.numbers import whole_numbers
    from signfed.app.engines.progress import Counting
    from signfed.app.errors import ConfigError
    from signfed.app.tournament.fence import Limits
    from signfed.app.tournament.hold import hold, matches_of
    from signfed.app.tournament.match import Game
    from signfed.app.tournament.page import write_all

    bar = Counting(out)
    with gone_on_with():
        if (numbers := whole_numbers(byzantine)) is None:
            raise ConfigError(f"--byzantine: expected 3,6 or the like; got {byzantine!r}")
        limits = Limits(seconds, memory)
        matches = matches_of(folder, numbers, Game(num_rounds=rounds, seed=seed, limits=limits))
        place = out_dir or folder / "results"
        with bar:
            at, said = bar.add_task("", total=len(matches), news=""), set[str]()

            def show(result: dict[str, Any]) -> None:
                bar.advance(at)
                bar.to_log()
                if loser := result["lost_by"]:
                    lost = f"{loser} {result[loser]} lost: {result['reason']}"
                    if lost not in said:
                        bar.console.print(escape(lost), style="yellow", soft_wrap=True)
                    said.add(lost)

            found = hold(
                matches, place, on_result=show,
                on_match=lambda m: bar.update(
                    at, description=f"{m.rule.name} x {m.attack.name}, {m.n_byzantine}"
                ),
            )  # fmt: skip
        page = write_all(found, f"Tournament: {folder.resolve().name}", place)
    _print("rule", found["rules"], "worst", "mean")
    _print("attack", found["attacks"], "mean", "most")
    out.print(f"page {page}", soft_wrap=True, highlight=False)


def _print(kind: str, rows: list[dict[str, Any]], *numbers: str) -> None:
    heads = {"rule": ("worst", "mean"), "attack": ("mean harm", "most")}[kind]
    table = Table("place", kind, *heads, "lost")
    for row in rows:
        shown = (f"{100 * row[number]:.1f}" for number in numbers)
        table.add_row(str(row["place"]), escape(row[kind]), *shown, str(row["lost"]))
    out.print(table)
