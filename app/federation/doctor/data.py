"""Checks of what runs compute on: the device's data, and what their task needs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from signfed.app.doctor.finding import Finding, error, fine
from signfed.app.errors import ConfigError
from signfed.app.federation.doctor.device import Device
from signfed.app.task import DataMissing, problem_of
from signfed.app.task.datasets.own_files import read
from signfed.app.task.datasets.schema import Schema

OWN = "own-data"


def data(device: Device) -> list[Finding]:
    """Say whether the device's data are there and, by the schema of runs, what runs can read."""
    path = device.data_dir
    if path is None:
        return []
    if not path.is_dir():
        return [error("data", f"there is no folder {path}", f"mkdir -p {path}; put the data there")]
    if not os.access(path, os.R_OK | os.X_OK):
        return [error("data", f"{path} cannot be read by this user", f"ls -ld {path}; chmod u+rx")]
    if not any(path.iterdir()):
        return [error("data", f"{path} is empty", f"put the data into {path}")]
    if device.workload is None or device.workload.task != OWN:
        return [fine("data", str(path))]
    return [_own(path, Schema(**dict(device.workload.task_options)))]


def task(device: Device) -> list[Finding]:
    """Say whether this device can load the runs' task, as it does for its first message."""
    workload = device.workload
    if workload is None or workload.task == OWN:
        return []
    place = device.data_dir or device.home.path / Path(workload.data_dir).expanduser()
    try:
        problem_of(replace(workload, data_dir=str(place)))
    except (ConfigError, DataMissing) as wrong:
        return [error("task", str(wrong), _mended(wrong, "put the data there"))]
    return [fine("task", workload.task)]


def _own(path: Path, schema: Schema) -> Finding:
    """What a run finds in the folder."""
    try:
        _, labels = read(path, schema)
    except (ConfigError, DataMissing) as wrong:
        again = f"signfed data --dir {path}, with the same -c"
        return error("data", str(wrong), _mended(wrong, again))
    return fine("data", f"{path}, {len(labels)} samples")


def _mended(wrong: Exception, otherwise: str) -> str:
    """What mends it: where a package is missing, the command that the error names."""
    lacks = isinstance(wrong.__cause__, ModuleNotFoundError)
    return str(wrong).rpartition("expected: ")[2] if lacks else otherwise
