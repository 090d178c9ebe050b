"""Data sets, partitions, models, and the gradient of a worker in a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.task.data import DIGITS_TRAIN, DataMissing, Dataset, load_digits, load_torchvision
from app.task.gradients import Gradients, evaluate
from app.task.models import MODELS, build, flatten
from app.task.partition import stratified


@dataclass(frozen=True)
class Task:
    """A data set with the models that fit it.

    load: (data_dir, download) -> Dataset. num_train: training samples, known before loading.
    models: names in MODELS, the default first. needs_data_dir: False when it is embedded.
    """

    description: str
    load: Callable[[Path, bool], Dataset]
    num_train: int
    models: tuple[str, ...]
    needs_data_dir: bool = True


TASKS: dict[str, Task] = {
    "digits": Task(
        "1,797 real 8x8 handwritten digits, embedded (scikit-learn)",
        lambda data_dir, download: load_digits(),
        num_train=DIGITS_TRAIN,
        models=("mlp",),
        needs_data_dir=False,
    ),
    "mnist": Task(
        "70,000 28x28 handwritten digits (torchvision, from data-dir)",
        partial(load_torchvision, "MNIST", 0.1307, 0.3081),
        num_train=60_000,
        models=("fd-cnn",),
    ),
    "fashion-mnist": Task(
        "70,000 28x28 pieces of clothing (torchvision, from data-dir)",
        partial(load_torchvision, "FashionMNIST", 0.2860, 0.3530),
        num_train=60_000,
        models=("fd-cnn",),
    ),
}

__all__ = [
    "MODELS",
    "TASKS",
    "DataMissing",
    "Dataset",
    "Gradients",
    "Task",
    "build",
    "evaluate",
    "flatten",
    "stratified",
]
