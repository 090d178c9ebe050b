"""Data sets as arrays in memory, a file a family."""

from signfed.app.task.datasets.ag_news import load_ag_news
from signfed.app.task.datasets.augment import CropFlipRotate
from signfed.app.task.datasets.dataset import Augment, DataMissing, Dataset
from signfed.app.task.datasets.digits import DIGITS_TRAIN, load_digits
from signfed.app.task.datasets.images import load_cifar, load_mnist

__all__ = [
    "DIGITS_TRAIN",
    "Augment",
    "CropFlipRotate",
    "DataMissing",
    "Dataset",
    "load_ag_news",
    "load_cifar",
    "load_digits",
    "load_mnist",
]
