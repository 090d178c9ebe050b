"""Torch under NumPy's names, as far as attacks call it: the namespace of rows on a device.

Only what differs from NumPy is written out. Each function has NumPy's meaning, and none waits for
the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

float32, float64, bool_ = torch.float32, torch.float64, torch.bool
abs, floor, sign, sqrt, square = torch.abs, torch.floor, torch.sign, torch.sqrt, torch.square
isfinite, isnan, zeros_like, full_like = (
    torch.isfinite, torch.isnan, torch.zeros_like, torch.full_like,
)  # fmt: skip
diagonal, tile = torch.diagonal, torch.tile
linalg = SimpleNamespace(norm=torch.linalg.vector_norm, eigh=torch.linalg.eigh)


def copy(values: Tensor) -> Tensor:
    """As numpy.copy."""
    return values.clone()


def stack(arrays: Sequence[Tensor]) -> Tensor:
    """As numpy.stack, along a new first axis."""
    return torch.stack(list(arrays))


def where(condition: Tensor, chosen: Any, other: Any) -> Tensor:
    """As numpy.where, with numbers on either side."""
    return torch.where(condition, chosen, other)


def maximum(a: Any, b: Any) -> Tensor:
    """As numpy.maximum, with a number on either side."""
    if not isinstance(a, Tensor):
        a, b = b, a
    # A number goes along with the call; as a tensor it would be a copy that the CPU waits for.
    return torch.maximum(a, b) if isinstance(b, Tensor) else a.clamp(min=float(b))


def argsort(values: Tensor, kind: str = "stable") -> Tensor:
    """As numpy.argsort, always stable."""
    return torch.argsort(values, stable=True)


def sort(values: Tensor) -> Tensor:
    """As numpy.sort, of a vector."""
    return torch.sort(values).values


def argmax(values: Tensor) -> Tensor:
    """As numpy.argmax: the first of equal ones."""
    return torch.argmax(values.to(torch.uint8) if values.dtype == torch.bool else values)


def take(values: Tensor, places: Tensor, axis: int = 0) -> Tensor:
    """As numpy.take, for a vector of places."""
    return values.index_select(axis, places)
