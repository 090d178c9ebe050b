"""What a user could write: data with augmentation, a network with dropout and norms, a loss."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from signfed.app.task import CropFlipRotate, Dataset


def images(data_dir, download):
    """300 + 60 images [3, 8, 8] of 3 classes: a class has its own bright channel."""
    draws = np.random.default_rng(0)
    y = np.arange(360) % 3
    x = draws.integers(0, 120, (360, 3, 8, 8), dtype=np.uint8)
    x[np.arange(360), y] += 100
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    return Dataset(
        x[:300], y[:300], x[300:], y[300:],
        to_input=lambda x: x.to(torch.float32) / 255, augment=CropFlipRotate(2, 30.0),
    )  # fmt: skip


def network(spec):
    channels, height, width = spec.image()
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.3),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(6 * (height // 2) * (width // 2), spec.num_classes),
    )  # fmt: skip


def smoothed(scores, labels):
    return cross_entropy(scores, labels, label_smoothing=0.1)


# What cannot be


def two_scores(spec):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(2))


def random_network(spec):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(192, spec.num_classes)

        def forward(self, x):
            return self.linear(x.flatten(1) + torch.randn(len(x), 192))

    return Noisy()


def failing(spec):
    raise RuntimeError("out of luck")


def each_loss(scores, labels):
    return cross_entropy(scores, labels, reduction="none")


def no_dataset(data_dir, download):
    return [1, 2, 3]


def float_labels(data_dir, download):
    x = torch.zeros(4, 2)
    return Dataset(x, torch.zeros(4), x, torch.zeros(4))


def too_few_labels(data_dir, download):
    x = torch.zeros(4, 2)
    return Dataset(x, torch.zeros(3, dtype=torch.int64), x, torch.zeros(4, dtype=torch.int64))


NOT_A_FUNCTION = 3
