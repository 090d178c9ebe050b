"""Data sets, partitions, models, and the gradient of a worker in a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from signfed.app.errors import ConfigError, installed
from signfed.app.task.classification import Classification
from signfed.app.task.datasets.ag_news import load_ag_news
from signfed.app.task.datasets.augment import CropFlipRotate
from signfed.app.task.datasets.dataset import DataMissing, Dataset
from signfed.app.task.datasets.digits import DIGITS_TRAIN, load_digits
from signfed.app.task.datasets.images import load_cifar, load_mnist
from signfed.app.task.datasets.schema import Schema
from signfed.app.task.datasets.spambase import load_spambase
from signfed.app.task.evaluation import evaluate
from signfed.app.task.gradients import Gradients
from signfed.app.task.models import MODELS, Spec, build, flatten
from signfed.app.task.own import own_data
from signfed.app.task.own_folders import OwnData
from signfed.app.task.partitions import PARTITIONS
from signfed.app.task.problem import Problem
from signfed.app.task.quadratic import Quadratic
from signfed.app.task.workload import Workload


@dataclass(frozen=True)
class Task:
    """A data set, or something else to minimise, with the models that fit it.

    Attributes
    ----------
    description : str
        For `signfed list`.
    models : tuple of str
        Names, the default first.
    num_train, num_classes : int, optional
        Training samples and classes, where they are known before loading.
    load : callable, optional
        (data_dir, download) -> Dataset; None where there are no samples to share out.
    make : callable, optional
        Workload -> Problem, in place of `load`.
    sides : (int, int), optional
        Height and width of the samples, where they are known to be images.
    own : bool
        Whether the data are the user's own, known by nothing but where they lie.
    """

    description: str
    models: tuple[str, ...]
    num_train: int | None = None
    num_classes: int | None = None
    load: Callable[[Path, bool], Dataset] | None = None
    make: Callable[[Workload], Problem] | None = None
    sides: tuple[int, int] | None = None
    own: bool = False

    @property
    def samples(self) -> bool:
        """Whether workers compute on samples with labels."""
        return self.load is not None or self.make is OwnData

    def data(self, workload: Workload) -> Dataset | None:
        """Return the data set, loaded; None where there is none to share out.

        Parameters
        ----------
        workload : Workload
            Of this task.

        Raises
        ------
        DataMissing
            When the data are not below data_dir.
        """
        if self.load is None:
            return None
        with installed(f"task={workload.task!r}"):
            data = self.load(Path(workload.data_dir).expanduser().absolute(), workload.download)
        return replace(data, sides=self.sides) if self.sides else data

    def problem(self, workload: Workload, data: Dataset | None = None) -> Problem:
        """Make what a run with this workload minimises.

        Parameters
        ----------
        workload : Workload
            Of this task.
        data : Dataset, optional
            What `data` returned before; loaded by default.

        Raises
        ------
        DataMissing
            When the data are not below data_dir.
        ConfigError
            When data, model, loss and partition do not fit one another.
        """
        if self.make is not None:
            return self.make(workload)
        if data is None:
            data = self.data(workload)
        if data is None:
            raise ConfigError(f"task={workload.task!r} has neither data nor a problem")
        return Classification(workload, data, self.num_classes)


CNNS = ("fd-cnn", "bft-cnn", "signguard-cnn")
RESNETS = ("resnet-56", "resnet-18", "resnet-50")

TASKS: dict[str, Task] = {
    "digits": Task(
        "1,797 real 8x8 handwritten digits, embedded (scikit-learn)",
        models=("mlp",),
        num_train=DIGITS_TRAIN,
        num_classes=10,
        load=lambda data_dir, download: load_digits(),
        sides=(8, 8),
    ),
    "mnist": Task(
        "70,000 28x28 handwritten digits (torchvision, from data-dir)",
        models=(*CNNS, "mlp", *RESNETS),
        num_train=60_000,
        num_classes=10,
        load=partial(load_mnist, "MNIST", 0.1307, 0.3081),
        sides=(28, 28),
    ),
    "fashion-mnist": Task(
        "70,000 28x28 pieces of clothing (torchvision, from data-dir)",
        models=(*CNNS, "mlp", *RESNETS),
        num_train=60_000,
        num_classes=10,
        load=partial(load_mnist, "FashionMNIST", 0.2860, 0.3530),
        sides=(28, 28),
    ),
    "cifar10": Task(
        "60,000 32x32 colour images, cropped and flipped at random (torchvision, from data-dir)",
        models=(*RESNETS, *CNNS, "mlp"),
        num_train=50_000,
        num_classes=10,
        load=partial(load_cifar, "CIFAR10"),
        sides=(32, 32),
    ),
    "cifar100": Task(
        "the same of 100 classes, rotated at random too (torchvision, from data-dir)",
        models=(*RESNETS, *CNNS, "mlp"),
        num_train=50_000,
        num_classes=100,
        load=partial(load_cifar, "CIFAR100"),
        sides=(32, 32),
    ),
    "ag-news": Task(
        "127,600 news headlines of 4 classes (public csv, from data-dir)",
        models=("text-rnn",),
        num_train=120_000,
        num_classes=4,
        load=load_ag_news,
    ),
    "spambase": Task(
        "4,601 e-mails as 57 numbers, spam or not (UCI's spambase.data, from data-dir)",
        models=("krum-mlp", "mlp"),
        num_train=3_680,
        num_classes=2,
        load=load_spambase,
    ),
    "quadratic": Task(
        "||x||^2 / 2 in 1,000 dimensions, gradients with Gaussian noise",
        models=("vector",),
        make=Quadratic,
    ),
    "own-data": Task(
        "what lies in each node's own data-dir: images, a table, or arrays",
        models=("mlp", *CNNS, *RESNETS),
        make=OwnData,
        own=True,
    ),
}
TASK_OPTIONS = {"own-data": Schema}


def find_task(name: str) -> Task:
    """Return the task of that name, or the user's own data set, module:function."""
    if name in TASKS:
        return TASKS[name]
    return Task(f"your own: {name}", models=(), load=partial(own_data, name), own=True)


def problem_of(workload: Workload) -> Problem:
    """Make what a workload minimises, its data loaded."""
    return find_task(workload.task).problem(workload)


__all__ = [
    "MODELS",
    "PARTITIONS",
    "TASKS",
    "TASK_OPTIONS",
    "Classification",
    "CropFlipRotate",
    "DataMissing",
    "Dataset",
    "Gradients",
    "Problem",
    "Spec",
    "Task",
    "Workload",
    "build",
    "evaluate",
    "find_task",
    "flatten",
    "problem_of",
]
