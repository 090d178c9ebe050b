"""Residual networks for small images, without running statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import pad, relu

from signfed.app.task.models.spec import Spec


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, track_running_stats=False)


class Shortcut(nn.Module):
    """Option A: every second pixel, and channels of zeros on both sides. No parameters.

    Parameters
    ----------
    channels : int
        That go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._channels = channels

    def forward(self, x: Tensor) -> Tensor:
        missing = self._channels - x.shape[1]
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, missing // 2, missing - missing // 2))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Option B: a convolution k1."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), _norm(outputs))


class Block(nn.Module):
    """x -> relu(layers(x) + shortcut(x)).

    Parameters
    ----------
    layers, shortcut : nn.Module
        With outputs of one shape.
    """

    def __init__(self, layers: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.layers(x) + self.shortcut(x))


def _basic(inputs: int, width: int, stride: int, *, pads: bool) -> tuple[Block, int]:
    layers = nn.Sequential(
        nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False), _norm(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False), _norm(width),
    )  # fmt: skip
    if stride == 1 and inputs == width:
        return Block(layers, nn.Identity()), width
    return Block(layers, Shortcut(width) if pads else _projection(inputs, width, stride)), width


def _bottleneck(inputs: int, width: int, stride: int) -> tuple[Block, int]:
    outputs = 4 * width
    layers = nn.Sequential(
        nn.Conv2d(inputs, width, 1, bias=False), _norm(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, padding=1, bias=False), _norm(width), nn.ReLU(),
        nn.Conv2d(width, outputs, 1, bias=False), _norm(outputs),
    )  # fmt: skip
    same = stride == 1 and inputs == outputs
    return Block(layers, nn.Identity() if same else _projection(inputs, outputs, stride)), outputs


def resnet_56(spec: Spec) -> nn.Module:
    """Make ResNet-56 with option A: 853,018 parameters for 10 classes, 858,868 for 100.

    Stem k3 with 16 channels; 3 stages of 9 basic blocks with 16, 32, 64; mean over the pixels, fc.

    References
    ----------
    He et al. 2016, section 4.2; Park & Lee 2024, appendix A.

    Notes
    -----
    Deviation: batch norm keeps no running statistics.
    """
    return _residual(spec, 16, ((16, 9), (32, 9), (64, 9)), partial(_basic, pads=True))


def resnet_18(spec: Spec) -> nn.Module:
    """Make ResNet-18 with a stem k3 and no first pool: 11,173,962 parameters for 10 RGB classes.

    4 stages of 2 basic blocks with 64, 128, 256, 512.

    References
    ----------
    He et al. 2016; Xu et al. 2022.

    Notes
    -----
    Deviation: batch norm keeps no running statistics.
    """
    return _residual(spec, 64, ((64, 2), (128, 2), (256, 2), (512, 2)), partial(_basic, pads=False))


def resnet_50(spec: Spec) -> nn.Module:
    """Make ResNet-50 with a stem k3 and no first pool: 23,520,842 parameters for 10 RGB classes.

    4 stages of 3, 4, 6, 3 bottlenecks.

    References
    ----------
    He et al. 2016; Sohn et al. 2020.

    Notes
    -----
    Deviation: batch norm keeps no running statistics.
    """
    return _residual(spec, 64, ((64, 3), (128, 4), (256, 6), (512, 3)), _bottleneck)


def _residual(
    spec: Spec,
    stem: int,
    stages: Sequence[tuple[int, int]],
    block: Callable[[int, int, int], tuple[Block, int]],
) -> nn.Module:
    """stages: width and number of blocks; all but the first halve the image. block: (channels that
    come in, width, stride) -> the block and the channels that go out."""
    channels, _, _ = spec.image()
    blocks, inputs = [], stem
    for stage, (width, depth) in enumerate(stages):
        for i in range(depth):
            made, inputs = block(inputs, width, 2 if stage and not i else 1)
            blocks.append(made)
    return nn.Sequential(
        nn.Conv2d(channels, stem, 3, padding=1, bias=False), _norm(stem), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, spec.num_classes),
    )  # fmt: skip
