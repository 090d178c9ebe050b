"""How much of a GPU's memory this process may plan with."""

from __future__ import annotations

import sys

import torch


def card_bytes(device: torch.device | None = None) -> int:
    """Return the memory of a GPU, or the share of it that Ray gave this process.

    Not what is free, so that a run repeated beside other work has the same passes.

    Parameters
    ----------
    device : torch.device, optional
        The current one by default.
    """
    return int(share() * torch.cuda.get_device_properties(device).total_memory)


def share() -> float:
    """Return the share of a GPU that Ray gave this process, a node or a sweep's cell; else 1."""
    ray = sys.modules.get("ray")  # whoever is a worker of Ray's has imported it
    if ray is None or not ray.is_initialized():
        return 1.0
    try:
        given = ray.get_runtime_context().get_assigned_resources()
    except AssertionError:  # what starts Ray is no worker of its
        return 1.0
    return min(1.0, given.get("GPU") or 1.0)
