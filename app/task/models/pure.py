"""Networks made pure: no global generator, and no statistics that outlive a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.instancenorm import _InstanceNorm

from signfed.app.task.models.pool import MaxPool2d

WHOLE_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
# A subclass with a forward pass of its own is the user's, not PyTorch's.
DROPOUTS = tuple(kind.forward for kind in (nn.Dropout, *WHOLE_CHANNELS))
NORMS = (_BatchNorm.forward, _InstanceNorm.forward)


class Dropout(nn.Module):
    """x * mask, where a mask was handed in; the identity where none was.

    Parameters
    ----------
    p : float
        Share of zeros.
    channels : bool
        Whether a channel is kept or dropped as a whole.
    """

    def __init__(self, p: float, channels: bool = False) -> None:
        super().__init__()
        self.p, self.channels = p, channels
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        return x if self.mask is None else x * self.mask

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """Return the shape of a sample's mask for inputs such as x [B, ...]."""
        return (x.shape[1], *(1 for _ in x.shape[2:])) if self.channels else tuple(x.shape[1:])


class Fixed(nn.Module):
    """Keep a module in evaluation mode: a frozen norm keeps the statistics that it has.

    Parameters
    ----------
    module : nn.Module
        The norm.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.eval()

    def train(self, mode: bool = True) -> Fixed:
        return super().train(False)

    def forward(self, x: Tensor) -> Any:
        return self.module(x)


def purified(model: nn.Module) -> nn.Module:
    """Exchange PyTorch's Dropout for the one above, and take running statistics away.

    Its pool of images is exchanged too, for one that is faster on a CPU and the same to the bit.

    A norm whose parameters are all frozen belongs to a body that is not trained: it keeps its
    statistics and never changes them. Any other normalises a batch by itself. Parameters and their
    order stay.

    Parameters
    ----------
    model : nn.Module
        Any network; it is changed.

    Returns
    -------
    nn.Module
        The same network.
    """
    for name, module in list(model.named_children()):
        if type(module).forward in DROPOUTS:
            channels = isinstance(module, WHOLE_CHANNELS)
            setattr(model, name, Dropout(float(module.p), channels))  # type: ignore[arg-type]
        elif type(module).forward in NORMS and _is_frozen(module):
            setattr(model, name, Fixed(module))
        else:
            purified(module)
    if isinstance(model, _NormBase) and type(model).forward in NORMS:
        model.track_running_stats = False
        model.running_mean = model.running_var = model.num_batches_tracked = None
    if type(model) is nn.MaxPool2d:
        model.__class__ = MaxPool2d  # its hooks stay
    return model


def _is_frozen(norm: nn.Module) -> bool:
    own, statistics = list(norm.parameters()), list(norm.buffers())
    return bool(own and statistics) and not any(p.requires_grad for p in own)


def dropouts(model: nn.Module) -> list[Dropout]:
    """Return those that drop anything, in the order of `model.modules()`."""
    return [module for module in model.modules() if isinstance(module, Dropout) and module.p]


def put(model: nn.Module, masks: Sequence[Tensor] | None) -> None:
    """Hand masks to the network's dropouts.

    Parameters
    ----------
    model : nn.Module
        As `purified` returned it.
    masks : sequence of Tensor or None
        One for each of `dropouts`, float32 [B, ...]; None takes them away.
    """
    found = dropouts(model)
    handed: Sequence[Tensor | None] = masks or [None] * len(found)
    for module, mask in zip(found, handed, strict=True):
        module.mask = mask


@torch.no_grad()
def mask_shapes(model: nn.Module, samples: Tensor) -> list[tuple[int, ...]]:
    """Return the shape of each dropout's mask for one sample.

    Parameters
    ----------
    model : nn.Module
    samples : Tensor
        A batch as it enters the network; of two at least, for batch norm.

    Raises
    ------
    ValueError
        When a dropout is used twice: it has one mask.
    """
    shapes: dict[Dropout, tuple[int, ...]] = {}

    def note(module: Dropout, inputs: tuple[Tensor, ...]) -> None:
        if module in shapes:
            raise ValueError("a Dropout is used twice in one forward pass; make one for each place")
        shapes[module] = module.shape(inputs[0])

    found = dropouts(model)
    hooks = [module.register_forward_pre_hook(note) for module in found]
    try:
        model(samples)
    finally:
        for hook in hooks:
            hook.remove()
    return [shapes.get(module, ()) for module in found]


def draw_masks(
    rates: Sequence[float], shapes: Sequence[tuple[int, ...]], batch: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draw one mask a dropout: 0 with probability p, else 1 / (1 - p).

    A function of the generator alone, drawn on the CPU: the same masks on any device.

    Parameters
    ----------
    rates : sequence of float
        p of each.
    shapes : sequence of tuple of int
        Of a sample's mask.
    batch : int
        Number of samples.
    rng : np.random.Generator
        What the masks are drawn from.

    Returns
    -------
    list of ndarray
        Float32 [batch, *shape] each.

    Examples
    --------
    >>> [mask] = draw_masks([0.5], [(3,)], 2, np.random.default_rng(0))
    >>> mask.shape, sorted(set(mask.flatten().tolist()))
    ((2, 3), [0.0, 2.0])
    """
    masks = []
    for p, shape in zip(rates, shapes, strict=True):
        kept = rng.random(batch * math.prod(shape), dtype=np.float32) >= np.float32(p)
        scale = np.float32(1 / (1 - p)) if p < 1 else np.float32(0)
        masks.append((kept * scale).reshape(batch, *shape))
    return masks
