"""What a person asked for on the command line, checked before anything is started."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from signfed.app.config.knowledge import check_reach
from signfed.app.config.run_config import RunConfig, build_strategy, check_machine, parse
from signfed.app.errors import ConfigError
from signfed.app.runs import folder as run_folder
from signfed.app.runs.claim import existing_folder, new_folder
from signfed.app.runs.resuming import earlier, resumed
from signfed.app.task import find_task

PAIR = re.compile(r"(\S+?)=('[^']*'|\"[^\"]*\"|\S+)")


def prepared(
    config: list[str],
    out_dir: str | None,
    resume: str | None,
    supernodes: int,
    gpus_per_client: float | None,
) -> tuple[dict[str, Any], RunConfig]:
    """Everything that can be found wrong before anything is started; the folder is made last.

    gpus_per_client: of simulated nodes; None where there are none.
    """
    values = given_keys(config)
    if out_dir is not None:
        if "out-dir" in values:
            raise ConfigError("out-dir: expected either --out or -c out-dir, got both")
        values["out-dir"] = out_dir
    resume = resume or values.get("resume")
    if resume:
        values = earlier(Path(resume)) | values | {"resume": str(Path(resume).resolve())}
    checked = parse(values)
    workload = checked.workload
    if not 1 <= supernodes <= workload.num_workers:
        raise ConfigError(
            f"--supernodes: expected 1 to num-workers = {workload.num_workers}; got {supernodes}"
        )
    build_strategy(checked)
    check_machine(checked, gpus_per_client)
    if checked.byzantine_ids and gpus_per_client is not None:
        check_reach(checked.attack, "omniscient")
    last = resumed(checked, values)
    # Flower's processes run elsewhere: no path may be relative.
    values["data-dir"] = str(Path(workload.data_dir).expanduser().resolve())
    find_task(workload.task).problem(replace(workload, data_dir=values["data-dir"]))
    labels = (workload.task, checked.strategy.name, checked.attack.name)
    path = (
        existing_folder(Path(checked.out_dir).expanduser())
        if checked.out_dir
        else new_folder(Path.cwd(), *labels)
    )
    values["out-dir"] = str(path.resolve())
    if checked.resume:
        run_folder.reopen(Path(values["out-dir"]), last.server_round if last else 0)
    return values, checked


def given_keys(config: list[str]) -> dict[str, Any]:
    """Flower's own syntax; what it would silently pass over is an error here."""
    import click  # slow, and only here
    from flwr.common.config import parse_config_args

    given = " ".join(config)
    wrong = ConfigError(f"-c: expected key=value pairs, with 'quotes' around text; got {given}")
    if any(PAIR.sub("", text).strip() for text in config if not text.endswith(".toml")):
        raise wrong
    try:
        return dict(parse_config_args(config))
    except click.ClickException:
        raise wrong from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"-c: {error}") from None
