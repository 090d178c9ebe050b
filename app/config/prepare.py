"""What a person asked for on the command line, checked before anything is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from signfed.app.config.pairs import given_keys
from signfed.app.config.run_config import RunConfig, build_strategy, check_machine, parse
from signfed.app.errors import ConfigError
from signfed.app.runs import folder as run_folder
from signfed.app.runs.resuming import earlier, resumed
from signfed.app.task import find_task


def prepared(
    config: list[str],
    out_dir: str | None,
    resume: str | None,
    supernodes: int,
    gpus_per_client: float | None,
) -> tuple[dict[str, Any], RunConfig]:
    """Everything that can be found wrong before anything is started."""
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
    last = resumed(checked, values)
    # Flower's processes run elsewhere: no path may be relative.
    values["data-dir"] = str(Path(workload.data_dir).expanduser().resolve())
    find_task(workload.task).problem(replace(workload, data_dir=values["data-dir"]))
    named = checked.out_dir and Path(checked.out_dir).expanduser()
    labels = (workload.task, checked.strategy.name, checked.attack.name)
    values["out-dir"] = str((named or run_folder.new_path(Path.cwd(), *labels)).resolve())
    if checked.resume:
        run_folder.reopen(Path(values["out-dir"]), last.server_round if last else 0)
    return values, checked
