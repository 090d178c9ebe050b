"""What a run computes on: task, model, loss, partition and batches, checked against one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signfed.app.config.plugins import plugin
from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.app.task import Task, Workload
from signfed.app.task.local_steps import LocalSteps
from signfed.strategies.core.shares import share_of

GROWS = "t"  # a value of batch-sizes


def workload_of(values: Mapping[str, Any], keys: Shared, task: Task) -> Workload:
    """Make the workload from checked values; what only the data can tell is left to Problem.

    Parameters
    ----------
    values : mapping
        Every key, checked.
    keys : Shared
        The shared ones among them.
    task : Task
        What the run computes on.

    Raises
    ------
    ConfigError
        For a model, partition, loss or batch size that does not fit the task.
    """
    if task.load is None and keys.partition != "stratified":
        raise ConfigError(f"partition: task={keys.task!r} has no samples to share out")
    if not task.samples and keys.loss != "cross-entropy":
        raise ConfigError(f"loss: task={keys.task!r} has its own")
    grows = keys.batch_sizes.strip() == GROWS
    if grows and task.load is not None:
        raise ConfigError(
            f"batch-sizes: {GROWS!r}, a batch of t samples in round t, is for task='quadratic'; "
            f"expected sizes such as '16x10,64x5' for task={keys.task!r}"
        )
    sizes = [] if grows else _batch_sizes(keys)
    if task.load is None and keys.validation_samples:
        raise ConfigError(f"validation-samples: task={keys.task!r} has no samples; expected 0")
    left = _left(keys, task)
    if task.num_train and keys.partition == "stratified" and not sizes:
        held = left // keys.num_workers
        if keys.batch_size > held:
            raise ConfigError(
                f"batch-size: each of {keys.num_workers} workers holds {held} samples of "
                f"{keys.task}; expected at most that; got {keys.batch_size}"
            )
    partition, share = plugin(values, "partition"), values["election.batch"]
    return Workload(
        task=keys.task,
        model=_model(keys.model, task),
        data_dir=keys.data_dir,
        download=keys.download,
        num_workers=keys.num_workers,
        server_samples=keys.server_samples,
        batch_grows=grows,
        validation_samples=keys.validation_samples,
        batch_size=share_of(keys.batch_size, share),
        seed=keys.seed,
        device=keys.device,
        precision=keys.precision,
        gradients=keys.gradients,
        partition=partition.name,
        partition_options=partition.options,
        batch_sizes=tuple(share_of(size, share) for size in sizes),
        loss=keys.loss,
        local=LocalSteps(keys.local_steps, keys.local_lr),
        task_options=plugin(values, "task").options,
    )


def _left(keys: Shared, task: Task) -> int:
    """Training samples of a task, known before loading, that are left for the workers."""
    left = task.num_train or 0
    for key, kept, use in (
        ("server-samples", keys.server_samples, "for the server"),
        ("validation-samples", keys.validation_samples, "for validation"),
    ):
        if task.num_train and kept and left - kept < keys.num_workers:
            raise ConfigError(
                f"{key}: {keys.task} has {left} training samples for {keys.num_workers} workers; "
                f"expected at most {max(0, left - keys.num_workers)} {use}; got {kept}"
            )
        left -= kept
    return left


def _batch_sizes(keys: Shared) -> list[int]:
    """`16x10,64x5` as one size for each worker; empty where all have the same."""
    text, workers = keys.batch_sizes, keys.num_workers
    sizes: list[int] = []
    for part in text.split(",") if text else ():
        size, times, count = part.strip().partition("x")
        if not size.isdecimal() or not int(size) or (times and not count.isdecimal()):
            raise ConfigError(f"batch-sizes: expected sizes such as '16x10,64x5'; got {text!r}")
        sizes += [int(size)] * min(int(count) if times else 1, workers + 1)
    if text and len(sizes) != workers:
        raise ConfigError(f"batch-sizes: expected one for each of {workers} workers; got {text!r}")
    return sizes


def _model(name: str, task: Task) -> str:
    if name == "auto" and task.models:
        return task.models[0]
    if name == "auto":
        raise ConfigError("model: expected a model's name, or module:function, for your own task")
    if task.models and name not in task.models and not (":" in name and task.samples):
        raise ConfigError(f"model: expected auto, {', '.join(task.models)}; got {name!r}")
    return name
