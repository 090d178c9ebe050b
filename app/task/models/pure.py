"""Networks made pure: no global generator, and no statistics that outlive a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

WHOLE_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class Dropout(nn.Module):
    """x * mask, where a mask was handed in; the identity where none was.

    p: share of zeros. channels: whether a channel is kept or dropped as a whole.
    """

    def __init__(self, p: float, channels: bool = False) -> None:
        super().__init__()
        self.p, self.channels = p, channels
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        return x if self.mask is None else x * self.mask

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """Shape of a sample's mask for inputs such as x [B, ...]."""
        return (x.shape[1], *(1 for _ in x.shape[2:])) if self.channels else tuple(x.shape[1:])


def purified(model: nn.Module) -> nn.Module:
    """The network with Dropout above in place of PyTorch's, and without running statistics.

    Changes the network that it is given. Parameters and their order stay.
    """
    for name, module in list(model.named_children()):
        if isinstance(module, (nn.Dropout, *WHOLE_CHANNELS)):
            setattr(model, name, Dropout(module.p, isinstance(module, WHOLE_CHANNELS)))
        else:
            purified(module)
    if isinstance(model, _BatchNorm):
        model.track_running_stats = False
        model.running_mean = model.running_var = model.num_batches_tracked = None
    return model


def dropouts(model: nn.Module) -> list[Dropout]:
    """In the order of `model.modules()`."""
    return [module for module in model.modules() if isinstance(module, Dropout) and module.p]


def put(model: nn.Module, masks: Sequence[Tensor] | None) -> None:
    """Hand masks to the network's dropouts; None takes them away."""
    found = dropouts(model)
    for module, mask in zip(found, masks or [None] * len(found), strict=True):
        module.mask = mask


@torch.no_grad()
def mask_shapes(model: nn.Module, sample: Tensor) -> list[tuple[int, ...]]:
    """Of each dropout's mask for one sample; sample: a batch of one, as it enters the network.

    Raises ValueError when one is used twice: it has one mask.
    """
    shapes: dict[Dropout, tuple[int, ...]] = {}

    def note(module: Dropout, inputs: tuple[Tensor, ...]) -> None:
        if module in shapes:
            raise ValueError("a Dropout is used twice in one forward pass; make one for each place")
        shapes[module] = module.shape(inputs[0])

    found = dropouts(model)
    hooks = [module.register_forward_pre_hook(note) for module in found]
    try:
        model(sample)
    finally:
        for hook in hooks:
            hook.remove()
    return [shapes.get(module, ()) for module in found]


def draw_masks(
    rates: Sequence[float], shapes: Sequence[tuple[int, ...]], batch: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """One mask a dropout, float32 [batch, *shape]: 0 with probability p, else 1 / (1 - p).

    A function of the generator alone, drawn on the CPU: the same masks on any device.
    """
    masks = []
    for p, shape in zip(rates, shapes, strict=True):
        kept = rng.random(batch * math.prod(shape), dtype=np.float32) >= np.float32(p)
        scale = np.float32(1 / (1 - p)) if p < 1 else np.float32(0)
        masks.append((kept * scale).reshape(batch, *shape))
    return masks
