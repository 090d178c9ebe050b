"""The same bits twice on one GPU: which of torch's algorithms may be taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

cudnn: Any = torch.backends.cudnn
utils: Any = torch.utils.deterministic
# The last but one: no algorithms chosen by trying. The last: every value is written before it is
# read.
WANTED = True, True, True, False, False


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
    before = _flags()
    # Runs hold them for good and gradients ask again each round: to look is faster than to set.
    if before != WANTED:
        _set(*WANTED)
    try:
        yield
    finally:
        if _flags() != before:
            _set(*before)


def _flags() -> tuple[bool, ...]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic, cudnn.benchmark, utils.fill_uninitialized_memory,
    )  # fmt: skip


def _set(algorithms: bool, warn_only: bool, deterministic: bool, tried: bool, fill: bool) -> None:
    torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
    cudnn.deterministic, cudnn.benchmark = deterministic, tried
    utils.fill_uninitialized_memory = fill
