"""The kernels of `eager`, on a CUDA device compiled by torch: fused Triton kernels, the same bits.

A function is compiled at its first call with CUDA tensors, so that a process without any never
loads torch's compiler (seconds, 150 MB). Sizes are symbols; what is compiled anew are sizes like 0
and 1 and, where rows are summed in order, their number. After eight of these torch runs what is new
as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from signfed.strategies.ops.kernels import eager


class Kernel:
    """A pure function whose first argument is a tensor: compiled on `device`, else as written.

    failed: whether its compilation was tried in vain; from then on it is called as written.
    """

    def __init__(
        self, function: Callable[..., Any], *, device: str = "cuda", backend: Any = "inductor"
    ) -> None:
        self._function, self._device, self._backend = function, device, backend
        self._compiled: Callable[..., Any] | None = None
        self.failed = False

    def __call__(self, *given: Any) -> Any:
        """What the function returns, and raises."""
        if self.failed or given[0].device.type != self._device:
            return self._function(*given)
        try:
            self._compiled = self._compiled or torch.compile(
                self._function, dynamic=True, backend=self._backend
            )
        except (ImportError, RuntimeError):  # there is no compiler for this Python or platform
            self.failed = True
            return self._function(*given)
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self._compiled(*given)
        except TorchDynamoException:
            # Raised before any of it ran, since it is one graph: counts have not moved. What is
            # wrong with the arguments is raised again here, and is no failure of the compiler.
            result = self._function(*given)
            self.failed = True
            return result


pack = Kernel(eager.pack)
signs = Kernel(eager.signs)
majority_vote = Kernel(eager.majority_vote)
tied = Kernel(eager.tied)
add_votes = Kernel(eager.add_votes)
add_votes_by_count = Kernel(eager.add_votes_by_count)
vote_and_count = Kernel(eager.vote_and_count)
count_disagreements = Kernel(eager.count_disagreements)
block_disagreements = Kernel(eager.block_disagreements)
KERNELS = (
    pack, signs, majority_vote, tied, block_disagreements,
    add_votes, add_votes_by_count, vote_and_count, count_disagreements,
)  # fmt: skip


def mode(device: torch.device) -> str:
    """What runs the sign kernels for tensors there: "numpy", "compiled" or "eager".

    "compiled" until one of them could not be compiled.
    """
    if device.type == "cpu":
        return "numpy"
    usable = device.type == "cuda" and not any(kernel.failed for kernel in KERNELS)
    return "compiled" if usable else "eager"
