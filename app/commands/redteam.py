"""`signfed redteam`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signfed.app.commands.common import RunConfigOption, check_file, out, refusing
from signfed.app.errors import ConfigError

if TYPE_CHECKING:
    from signfed.app.redteam import Trial

NOT_HERE = {  # key -> why
    **dict.fromkeys(("strategy", "attack", "out-dir", "evaluate-every"), "which sets it itself"),
    "stop-when": "whose trials run to their last round",
    "resume": "whose trials begin anew",
}


def redteam(
    strategies: Annotated[str, typer.Option(help="rules, 'sign-mv,sign-fd', or all")],
    attacks: Annotated[str, typer.Option(help="attacks, 'lie,min-max', or all")] = "all",
    config: RunConfigOption = None,
    grid: Annotated[int, typer.Option(min=2, help="values of a range that are tried first")] = 4,
    refinements: Annotated[int, typer.Option(min=0, help="times to halve in on the worst")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="runs of each trial")] = 1,
    out_file: Annotated[Path, typer.Option("--out", help="JSON of all trials")] = Path(
        "redteam.json"
    ),
) -> None:
    """Search the options of attacks for the worst final accuracy of each rule (local engine).

    Of a backdoor, for its highest success. Those of your own attack, module:function, are searched
    where they are declared with a Range, a Choice or bounds.
    """
    from signfed.app.config.pairs import given_keys
    from signfed.app.engines.progress import Counting
    from signfed.app.redteam import red_team
    from signfed.app.redteam.space import ATTACKERS
    from signfed.app.redteam.tables import print_red_team, write_red_team
    from signfed.strategies.registry import STRATEGIES

    trials: list[Trial] = []
    with refusing():
        check_file("--out", out_file)
        base = given_keys(config or [])
        for key, why in NOT_HERE.items():
            if key in base:
                raise ConfigError(f"{key}: not for a red team, {why}")
        rules = named(strategies, STRATEGIES, "--strategies")
        attackers = named(attacks, ATTACKERS, "--attacks")
        with Counting(out) as progress:
            bar = progress.add_task("trials", total=None, news="")

            def show(trial: Trial, done: int, planned: int) -> None:
                trials.append(trial)
                write_red_team(out_file, base, trials)  # what was found survives an interrupt
                progress.update(bar, completed=done, total=planned)
                progress.to_log()

            red_team(
                base, rules, attackers, grid=grid, refinements=refinements, seeds=seeds,
                on_trial=show,
            )  # fmt: skip
    print_red_team(out, trials)
    out.print(f"all {len(trials)} trials: {out_file}", highlight=False)


def named(text: str, known: Iterable[str], option: str) -> list[str]:
    """Read a comma-separated list of names.

    Parameters
    ----------
    text : str
        "sign-mv,sign-fd", or "all"; a user's own are named module:name.
    known : iterable of str
        The names that there are.
    option : str
        What an error calls the list.

    Returns
    -------
    list of str
        All known names for "all".

    Raises
    ------
    ConfigError
        For a name that is not known.
    """
    known = list(known)
    names = known if text == "all" else [name.strip() for name in text.split(",")]
    if wrong := [name for name in names if name not in known and ":" not in name]:
        raise ConfigError(f"{option}: expected all or some of {', '.join(known)}; got {wrong[0]!r}")
    return names
