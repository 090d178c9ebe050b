"""In which precision gradients are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["float32", "tf32", "bfloat16"]


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Round products of matrices as float32, or on tensor cores as tf32 or bfloat16.

    tf32 exists on a GPU only. What comes out is float32 in any case.

    Parameters
    ----------
    name : {"float32", "tf32", "bfloat16"}
    device : torch.device
        Where the products are computed.
    """
    if name == "float32" and device.type == "cpu":
        yield  # nothing to set, many times a round
        return
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    cuda.allow_tf32 = cudnn.allow_tf32 = name == "tf32"  # cuDNN's own default is to allow it
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
            yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before
