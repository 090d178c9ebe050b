"""The model, and the digits of one node. Nothing here is signfed's."""

from __future__ import annotations

from functools import lru_cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

HELD_OUT = 297  # images that the server keeps for itself


def new_model() -> nn.Module:
    """Logistic regression on 8 x 8 pixels, from 0."""
    model = nn.Linear(64, 10)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    return model


@lru_cache
def digits() -> tuple[Tensor, Tensor]:
    """All 1,797 digits: float32 [1797, 64] in [0, 1], int64 [1797]."""
    found = load_digits()
    images = torch.tensor(found.data, dtype=torch.float32) / 16
    return images, torch.tensor(found.target, dtype=torch.int64)


def train(model: nn.Module, partition: int, num_partitions: int, steps: int = 20) -> int:
    """Train in place on what one node holds; return the number of its images."""
    images, labels = (each[HELD_OUT + partition :: num_partitions] for each in digits())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
    return len(labels)


@torch.no_grad()
def test(model: nn.Module) -> tuple[float, float]:
    """Return loss and accuracy on the server's images, which no node has."""
    images, labels = (each[:HELD_OUT] for each in digits())
    scores = model(images)
    accuracy = (scores.argmax(dim=1) == labels).float().mean()
    return cross_entropy(scores, labels).item(), accuracy.item()
