"""The networks, by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def mlp() -> nn.Module:
    """64-128-10 perceptron with ReLU for the 8x8 digits: 9,610 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def fd_cnn() -> nn.Module:
    """The signSGD-FD paper's CNN for 28x28 grey images: 582,026 parameters.

    conv 1-32 k5, pool 2, conv 32-64 k5, pool 2, fc 1024-512, fc 512-10; ReLU between.
    Reference: Park & Lee 2024, appendix A (5e5 parameters, two 5x5 convolutions, two fc layers).
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 10),
    )  # fmt: skip


MODELS: dict[str, Callable[[], nn.Module]] = {"mlp": mlp, "fd-cnn": fd_cnn}


def build(name: str, seed: int) -> nn.Module:
    """A freshly initialised model, a function of (name, seed); the global RNG is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name]()


def flatten(model: nn.Module) -> Tensor:
    """Parameters as one vector, float32 [N], in `model.parameters()` order."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()
