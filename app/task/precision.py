"""In which precision gradients are computed, and on a GPU: the same bits twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch

from signfed.app.task.repeatable import repeatable

Precision = Literal["float32", "tf32", "bfloat16"]


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Round products of matrices as float32, or on tensor cores as tf32 or bfloat16.

    tf32 exists on a GPU only. What comes out is float32 in any case.

    On a GPU, operations are also held to those of their algorithms that give the same bits twice:
    cuDNN's convolutions may vary otherwise, and so may what PyTorch lists under
    `torch.use_deterministic_algorithms`. One that has no such algorithm is used all the same, with
    PyTorch's warning. cuBLAS varies with several streams only; a gradient takes one.

    Parameters
    ----------
    name : {"float32", "tf32", "bfloat16"}
    device : torch.device
        Where the products are computed.
    """
    if name == "float32" and device.type == "cpu":
        yield  # nothing to set, many times a round
        return
    rounds = name == "bfloat16"
    cast: AbstractContextManager[object] = nullcontext()
    if rounds or torch.is_autocast_enabled(device.type):
        cast = torch.autocast(device.type, torch.bfloat16, enabled=rounds)
    with repeatable(device), cast:
        cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = cuda.allow_tf32, cudnn.allow_tf32
        cuda.allow_tf32 = cudnn.allow_tf32 = name == "tf32"  # cuDNN's own default is to allow it
        try:
            yield
        finally:
            cuda.allow_tf32, cudnn.allow_tf32 = before
