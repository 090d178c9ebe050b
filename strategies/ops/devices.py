"""What a device runs: kernels of ours, or tensor operations."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

from signfed.strategies.ops import _tensors


@lru_cache
def runs_kernels(device: torch.device) -> bool:
    """Tell whether this is an NVIDIA GPU and Triton is there, which compiles kernels for it.

    Parameters
    ----------
    device : torch.device
        Any.

    Examples
    --------
    >>> runs_kernels(torch.device("cpu"))
    False
    """
    return device.type == "cuda" and find_spec("triton") is not None


def on_signs(device: torch.device) -> ModuleType:
    """Return the operations on packed signs for a device but a CPU.

    Parameters
    ----------
    device : torch.device
        Where the signs lie.
    """
    return import_module("signfed.strategies.ops._triton") if runs_kernels(device) else _tensors
