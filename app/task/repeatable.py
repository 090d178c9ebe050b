"""The same bits twice on one GPU: which of torch's algorithms may be taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Let torch take deterministic algorithms alone, within a `with` block, on a device but a CPU.

    On a CPU they are so anyhow. An operation of a user's model that has no such form is run, and
    torch warns of it: two runs may then differ. What cuBLAS needs besides is set where the device
    is chosen, `signfed.app.task.workload.device_of`.

    Parameters
    ----------
    device : torch.device
        Where the run computes.
    """
    if device.type == "cpu":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    utils: Any = torch.utils.deterministic
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic, cudnn.benchmark, utils.fill_uninitialized_memory,
    )  # fmt: skip
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.deterministic, cudnn.benchmark = True, False
    utils.fill_uninitialized_memory = False  # every value here is written before it is read
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.deterministic, cudnn.benchmark, utils.fill_uninitialized_memory = before[2:]
