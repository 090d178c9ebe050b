"""Perceptron and the small convolutional networks of the papers.

Where a paper pools after ReLU, the pool comes first here: values and slopes are the same to the
bit, and ReLU has a quarter of the pixels to go through.
"""

from __future__ import annotations

import math

from torch import nn

from signfed.app.task.models.spec import Spec


def mlp(spec: Spec) -> nn.Module:
    """Make one hidden layer of 128 with ReLU: 9,610 parameters for the 8x8 digits."""
    inputs = math.prod(spec.input_shape)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, spec.num_classes)
    )


def krum_mlp(spec: Spec) -> nn.Module:
    """Make the perceptron of Krum's Spambase experiment: 1,622 parameters for its 57 features.

    Two hidden layers of 20 with ReLU; weights start uniform as Xavier's, which matters: as PyTorch
    starts them, they have learned little after the experiment's 300 rounds.

    References
    ----------
    Blanchard et al. 2017, as krum 0.9 runs it ("krum_nips_2017").

    Notes
    -----
    Deviation: none that is known; biases start as PyTorch's.
    """
    layers = [
        nn.Linear(math.prod(spec.input_shape), 20), nn.Linear(20, 20),
        nn.Linear(20, spec.num_classes),
    ]  # fmt: skip
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
    first, second, last = layers
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), last)


def fd_cnn(spec: Spec) -> nn.Module:
    """Make the signSGD-FD paper's CNN: 582,026 parameters for 28x28 grey images.

    conv 32 k5, pool 2, conv 64 k5, pool 2, fc 512, fc classes; ReLU between.

    References
    ----------
    Park & Lee 2024, appendix A (5e5 parameters, two 5x5 convolutions, two fc layers).

    Notes
    -----
    Deviation: none.
    """
    channels, height, width = spec.image()
    left = 64 * (((height - 4) // 2 - 4) // 2) * (((width - 4) // 2 - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 32, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(32, 64, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(left, 512), nn.ReLU(), nn.Linear(512, spec.num_classes),
    )  # fmt: skip


def bft_cnn(spec: Spec) -> nn.Module:
    """Make the Byzantine-fault-tolerance paper's CNN: 1,199,882 parameters for 28x28 grey images.

    conv 32 k3, conv 64 k3, pool 2, dropout .25, fc 128, dropout .5, fc classes; ReLU between.

    References
    ----------
    Mengoli et al. 2025, section on MNIST.

    Notes
    -----
    Deviation: none in value; its log-softmax is part of the cross-entropy.
    """
    channels, height, width = spec.image()
    left = 64 * ((height - 4) // 2) * ((width - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3), nn.ReLU(),
        nn.Conv2d(32, 64, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(left, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, spec.num_classes),
    )  # fmt: skip


def signguard_cnn(spec: Spec) -> nn.Module:
    """Make the SignGuard authors' CNN: 51,710 parameters for 28x28 grey images.

    conv 8 k5, conv 16 k3 padded, conv 32 k3 padded, each with ReLU and pool 2; fc 120 and fc 84,
    each with ReLU and dropout .5; fc classes.

    References
    ----------
    Xu et al. 2022, section V, and their code.

    Notes
    -----
    Deviation: three fully connected layers as in the code; the paper says two.
    """
    channels, height, width = spec.image()
    left = 32 * ((height - 4) // 8) * ((width - 4) // 8)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(left, 120), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(120, 84), nn.ReLU(), nn.Dropout(0.5), nn.Linear(84, spec.num_classes),
    )  # fmt: skip
