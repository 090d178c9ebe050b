"""`signfed score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from signfed.app.commands.common import out, refusing
from signfed.app.errors import ConfigError
from signfed.app.report.impact import finished, print_impact
from signfed.app.runs.folder import read_config


def score(
    path: Annotated[Path, typer.Argument(help="folder of a run that has ended")],
    control: Annotated[
        Path | None,
        typer.Option(help="the same run without attack; default: run it, into PATH/control"),
    ] = None,
) -> None:
    """Show what the attack cost: the accuracy beside the same run without it.

    Under a backdoor also its success, beside what the trigger does to a model without one.
    """
    with refusing():
        refuse_target(path)
        control = control or control_of(path)
        check_control(path, control)
        print_impact(out, path, control, untouched(path, control))


def refuse_target(path: Path) -> None:
    """Raise ConfigError for a run that ends at an accuracy: with and without attack it is the same.

    Parameters
    ----------
    path : Path
        The run folder.
    """
    from signfed.app.config.stopping import stop_when

    text = read_config(path).get("stop-when", "")
    if stop_when(text).accuracy is not None:
        raise ConfigError(
            f"{path}: expected a run that does not end at an accuracy, which its control reaches, "
            f"too; got stop-when={text!r}; run it without"
        )


def control_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the run config of the same run without attack, and without keys that do nothing."""
    from signfed.app.config.keys import KEYS, KIND_OF, defaults
    from signfed.app.config.together import idle

    usual = defaults()
    config = config | {key: usual[key] for key in idle(usual | config)}
    of_the_attack = {"attack", "attack-options", "byzantine-ids", "out-dir"} | {
        key for key, option in KEYS.items() if KIND_OF.get(option.owner) == "attack"
    }
    return {k: v for k, v in config.items() if k not in of_the_attack} | {"attack": "none"}


def control_of(path: Path) -> Path:
    """Return the folder of the same run without attack; run it where that was not done yet.

    Parameters
    ----------
    path : Path
        Folder of a run that finished or diverged. Its control is `path`/control.

    Raises
    ------
    ConfigError
        When `path` holds no run that finished or diverged, or its control did not finish.
    """
    from signfed.app.engines.local.engine import local_engine
    from signfed.app.engines.prepare import prepare
    from signfed.app.engines.run import execute

    config, folder = read_config(path), path / "control"
    finished(path, diverged=True)
    if not folder.exists():
        execute(prepare(control_config(config) | {"out-dir": str(folder)}), local_engine)
    finished(folder, "remove that folder to run it again")
    return folder


def check_control(path: Path, control: Path) -> None:
    """Raise ConfigError for a control under attack, or one that differs in more than the attack.

    Parameters
    ----------
    path, control : Path
        Run folders.
    """
    from signfed.app.config.keys import defaults

    config = read_config(control)
    if (attack := config.get("attack")) != "none":
        raise ConfigError(
            f"{control}: expected a run with attack='none'; found attack={attack!r}; without "
            "--control the command runs one"
        )
    usual = defaults()  # a run of before has not all keys
    if control_config(usual | config) != control_config(usual | read_config(path)):
        raise ConfigError(f"{control}: expected a run that differs from {path} in the attack alone")


def untouched(path: Path, control: Path) -> float | None:
    """Return the success rate of the run's backdoor on the control's final model.

    Parameters
    ----------
    path, control : Path
        Folders of the run and of the same without an attack.

    Returns
    -------
    float or None
        None without a backdoor, and where the control's last checkpoint is gone.

    Raises
    ------
    ConfigError
        When the checkpoint cannot be read.
    """
    from signfed.app.config.knowledge import built
    from signfed.app.config.run_config import parse
    from signfed.app.runs import checkpoint
    from signfed.app.task import problem_of

    config = parse(read_config(path) | {"resume": str(path), "out-dir": ""})  # as it was begun
    trigger, place = built(config.attack).trigger, checkpoint.find(control)
    if trigger is None or place is None:
        return None
    try:
        parameters = checkpoint.read(place).state["parameters"]
    except checkpoint.CheckpointError as error:
        raise ConfigError(str(error)) from error
    problem = problem_of(config.workload)
    return problem.evaluate(parameters, trigger)["backdoor_success"]
