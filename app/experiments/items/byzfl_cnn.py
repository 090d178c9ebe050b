"""ByzFL's network for MNIST. Its runs depend on this file, not on the claims beside them."""

from __future__ import annotations

from torch import nn

from signfed.app.task.models.spec import Spec


def cnn_mnist(spec: Spec) -> nn.Module:
    """Make the CNN of ByzFL's benchmark: 431,080 parameters for 28x28 grey images.

    conv 20 k5, pool 2, conv 50 k5, pool 2, fc 500, fc classes; ReLU between. Its log-softmax and
    the NLL loss are our cross-entropy.

    Parameters
    ----------
    spec : Spec
        Of images.
    """
    channels, height, width = spec.image()
    left = 50 * (((height - 4) // 2 - 4) // 2) * (((width - 4) // 2 - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(left, 500), nn.ReLU(), nn.Linear(500, spec.num_classes),
    )  # fmt: skip
