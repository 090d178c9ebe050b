"""What a run computes on: task, model, loss, partition and batches, checked against one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.errors import ConfigError
from app.plugins import partition_plugin
from app.task import Task, Workload


def workload_of(values: Mapping[str, Any], task: Task) -> Workload:
    """From checked values; raises ConfigError. What only the data can tell is Problem's to say."""
    _check_held(values, task)
    partition, share = partition_plugin(values), values["election-batch"]
    return Workload(
        task=values["task"],
        model=_model(values["model"], task),
        data_dir=values["data-dir"],
        download=values["download"],
        num_workers=values["num-workers"],
        batch_size=_share(share, values["batch-size"]),
        seed=values["seed"],
        device=values["device"],
        precision=values["precision"],
        partition=partition.name,
        partition_options=partition.options,
        batch_sizes=tuple(_share(share, size) for size in _batch_sizes(values)),
        loss=values["loss"],
    )


def _check_held(values: Mapping[str, Any], task: Task) -> None:
    """What can be said before the data are there; the rest is Workload.shards' to say."""
    num_workers = values["num-workers"]
    if task.num_train and values["partition"] == "stratified" and not values["batch-sizes"]:
        held = task.num_train // num_workers
        if values["batch-size"] > held:
            raise ConfigError(
                f"batch-size: each of {num_workers} workers holds {held} samples of "
                f"{values['task']}; expected at most that; got {values['batch-size']}"
            )
    if task.load is None and values["partition"] != "stratified":
        raise ConfigError(f"partition: task={values['task']!r} has no samples to share out")
    if task.load is None and values["loss"] != "cross-entropy":
        raise ConfigError(f"loss: task={values['task']!r} has its own")


def _share(share: float, size: int) -> int:
    return math.ceil(round(share * size, 9))


def _batch_sizes(values: Mapping[str, Any]) -> tuple[int, ...]:
    text, workers = values["batch-sizes"], values["num-workers"]
    sizes: list[int] = []
    for part in text.split(",") if text else ():
        size, times, count = part.strip().partition("x")
        if not size.isdecimal() or not int(size) or (times and not count.isdecimal()):
            raise ConfigError(f"batch-sizes: expected sizes such as '16x10,64x5'; got {text!r}")
        if times and int(count) > workers:
            break
        sizes += [int(size)] * (int(count) if times else 1)
    if text and len(sizes) != workers:
        raise ConfigError(f"batch-sizes: expected one for each of {workers} workers; got {text!r}")
    return tuple(sizes)


def _model(name: str, task: Task) -> str:
    if name == "auto" and task.models:
        return task.models[0]
    if not task.models:  # the user's own data
        if name == "auto":
            raise ConfigError(
                "model: expected the name of one, or module:function, for your own task"
            )
        return name
    if ":" in name and task.load:
        return name
    if name not in task.models:
        raise ConfigError(f"model: expected auto, {', '.join(task.models)}; got {name!r}")
    return name
