"""What server and nodes compare before the first round: data, shards, model, as SHA-256."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable

import torch
from torch import Tensor


def fingerprint(named: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256 of tensors: name, dtype, shape, whether they are trained, and every byte.

    Parameters
    ----------
    named : iterable of (str, Tensor)
        In order; of any dtype and device.

    Examples
    --------
    >>> fingerprint([("x", torch.zeros(2))]) == fingerprint([("x", torch.zeros(1, 2))])
    False
    """
    sha = hashlib.sha256()
    for name, tensor in named:
        values = tensor.detach().cpu().contiguous()
        sha.update(f"{name} {values.dtype} {[*values.shape]} {tensor.requires_grad}\n".encode())
        sha.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def made_here(digest: str) -> str:
    """Return the digest with the kind of machine that made the values: `digest@machine`.

    Initial weights are computed: another processor or version of PyTorch may round them otherwise,
    so they are compared between machines of one kind only.

    Parameters
    ----------
    digest : str
        What `fingerprint` returned.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{digest}@{platform.machine()}, {capability}, torch {torch.__version__}"
