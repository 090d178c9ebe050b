"""How many threads PyTorch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(only_if: bool = True) -> Iterator[None]:
    """One intra-op thread, where `only_if`: a second may change the bits of a result, and two that
    share little work wait for each other by spinning, long where other work takes the cores.
    """
    threads = torch.get_num_threads()
    if only_if and threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
