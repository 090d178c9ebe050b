"""The sign kernels for an accelerator: `eager`'s, on a CUDA device as fused Triton kernels.

Same arguments, same bits. torch.compile takes a function at its first call with CUDA tensors, so a
process without any never loads torch's compiler (seconds, 150 MB). Sizes are symbols: a kernel is
compiled again for sizes of 0 and 1, and those with a float or a count per row for each number of
rows. After eight such compilations torch itself runs what is new as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from strategies.kernels import eager


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
weighted_vote = Kernel(eager.weighted_vote)
vote_and_count = Kernel(eager.vote_and_count)
count_disagreements = Kernel(eager.count_disagreements)
block_disagreements = Kernel(eager.block_disagreements)
KERNELS = (
    pack, signs, majority_vote, tied, weighted_vote,
    vote_and_count, count_disagreements, block_disagreements,
)  # fmt: skip


def mode(device: torch.device) -> str:
    """What runs the sign kernels for tensors there: "numpy", "compiled" or "eager".

    "compiled" until one of them could not be compiled.
    """
    if device.type == "cpu":
        return "numpy"
    usable = device.type == "cuda" and not any(kernel.failed for kernel in KERNELS)
    return "compiled" if usable else "eager"
