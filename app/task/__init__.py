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
from app.task.problem import Classification, Problem, Quadratic, Workload


@dataclass(frozen=True)
class Task:
    """A data set, or something else to minimise, with the models that fit it.

    models: names, the default first. num_train: training samples, known before loading; None
    where there are no samples to share out; num_classes likewise. load: (data_dir, download) ->
    Dataset, None likewise.
    """

    description: str
    models: tuple[str, ...]
    num_train: int | None = None
    num_classes: int | None = None
    load: Callable[[Path, bool], Dataset] | None = None

    def problem(self, workload: Workload) -> Problem:
        """What a run with this workload minimises. Raises DataMissing."""
        if self.load is None:
            return Quadratic(workload)
        data = self.load(Path(workload.data_dir).expanduser(), workload.download)
        return Classification(workload, data)


TASKS: dict[str, Task] = {
    "digits": Task(
        "1,797 real 8x8 handwritten digits, embedded (scikit-learn)",
        models=("mlp",),
        num_train=DIGITS_TRAIN,
        num_classes=10,
        load=lambda data_dir, download: load_digits(),
    ),
    "mnist": Task(
        "70,000 28x28 handwritten digits (torchvision, from data-dir)",
        models=("fd-cnn",),
        num_train=60_000,
        num_classes=10,
        load=partial(load_torchvision, "MNIST", 0.1307, 0.3081),
    ),
    "fashion-mnist": Task(
        "70,000 28x28 pieces of clothing (torchvision, from data-dir)",
        models=("fd-cnn",),
        num_train=60_000,
        num_classes=10,
        load=partial(load_torchvision, "FashionMNIST", 0.2860, 0.3530),
    ),
    "quadratic": Task(
        "||x||^2 / 2 in 1,000 dimensions, gradients with Gaussian noise",
        models=("vector",),
    ),
}

__all__ = [
    "MODELS",
    "TASKS",
    "Classification",
    "DataMissing",
    "Dataset",
    "Gradients",
    "Problem",
    "Task",
    "Workload",
    "build",
    "evaluate",
    "flatten",
    "stratified",
]
