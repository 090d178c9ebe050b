"""What a run computes on: task, model, loss, partition and batches, checked against one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from signfed.app.config.plugins import plugin
from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.app.task import Task, Workload


def workload_of(values: Mapping[str, Any], keys: Shared, task: Task) -> Workload:
    """From checked values; raises ConfigError. What only the data can tell is Problem's to say."""
    _check_held(keys, task)
    partition, share = plugin(values, "partition"), values["election.batch"]
    return Workload(
        task=keys.task,
        model=_model(keys.model, task),
        data_dir=keys.data_dir,
        download=keys.download,
        num_workers=keys.num_workers,
        batch_size=_share(share, keys.batch_size),
        seed=keys.seed,
        device=keys.device,
        precision=keys.precision,
        partition=partition.name,
        partition_options=partition.options,
        batch_sizes=tuple(_share(share, size) for size in _batch_sizes(keys)),
        loss=keys.loss,
    )


def _check_held(keys: Shared, task: Task) -> None:
    """What can be said before the data are there; the rest is Workload.shards' to say."""
    num_workers = keys.num_workers
    if task.num_train and keys.partition == "stratified" and not keys.batch_sizes:
        held = task.num_train // num_workers
        if keys.batch_size > held:
            raise ConfigError(
                f"batch-size: each of {num_workers} workers holds {held} samples of "
                f"{keys.task}; expected at most that; got {keys.batch_size}"
            )
    if task.load is None and keys.partition != "stratified":
        raise ConfigError(f"partition: task={keys.task!r} has no samples to share out")
    if task.load is None and keys.loss != "cross-entropy":
        raise ConfigError(f"loss: task={keys.task!r} has its own")


def _share(share: float, size: int) -> int:
    return math.ceil(round(share * size, 9))


def _batch_sizes(keys: Shared) -> tuple[int, ...]:
    text, workers = keys.batch_sizes, keys.num_workers
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
