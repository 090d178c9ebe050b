"""Which operations on packed signs a device but a CPU runs."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

from signfed.strategies.ops import _tensors


@lru_cache
def on(device: torch.device) -> ModuleType:
    """Return the kernels on an NVIDIA GPU where Triton is there, else tensor operations."""
    if device.type == "cuda" and find_spec("triton") is not None:
        return import_module("signfed.strategies.ops._triton")
    return _tensors
