"""The network, the digits of one node, training and evaluation. Nothing here is signfed's."""

from __future__ import annotations

from functools import lru_cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

HELD_OUT = 297  # images that the server keeps for itself


class Net(nn.Module):
    """Two convolutions with batch norm and a linear layer, for images of 8 x 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Linear(32 * 2 * 2, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).flatten(1))


@lru_cache
def images_and_labels() -> tuple[Tensor, Tensor]:
    """All 1,797 digits: float32 [1797, 1, 8, 8] in [0, 1], int64 [1797]."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    return images, torch.tensor(digits.target, dtype=torch.int64)


def load_data(partition_id: int, num_partitions: int) -> tuple[TensorDataset, TensorDataset]:
    """What one node holds: four fifths for training, the rest for validation."""
    images, labels = images_and_labels()
    mine = torch.arange(HELD_OUT + partition_id, len(labels), num_partitions)
    cut = int(0.8 * len(mine))
    train, validation = mine[:cut], mine[cut:]
    return (
        TensorDataset(images[train], labels[train]),
        TensorDataset(images[validation], labels[validation]),
    )


def load_test_set() -> TensorDataset:
    """What the server evaluates on; no node has it."""
    images, labels = images_and_labels()
    return TensorDataset(images[:HELD_OUT], labels[:HELD_OUT])


def train(net: nn.Module, data: TensorDataset, epochs: int, batch_size: int, lr: float) -> float:
    """Train in place with SGD and momentum; return the mean loss of a batch."""
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    net.train()
    total = 0.0
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return total / (epochs * len(loader))


@torch.no_grad()
def test(net: nn.Module, data: TensorDataset) -> tuple[float, float]:
    """Return loss and accuracy."""
    images, labels = data.tensors
    net.eval()
    scores = net(images)
    accuracy = (scores.argmax(dim=1) == labels).float().mean()
    return nn.functional.cross_entropy(scores, labels).item(), accuracy.item()
