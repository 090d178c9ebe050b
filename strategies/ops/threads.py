"""How many threads PyTorch computes with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread(only_if: bool = True) -> Iterator[None]:
    """Give PyTorch one intra-op thread within a `with` block.

    A second thread may change the bits of a result. And two threads that share little work wait for
    each other by spinning, which takes long where other processes need the cores.

    Parameters
    ----------
    only_if : bool
        Whether to do it at all.
    """
    threads = torch.get_num_threads()
    if only_if and threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
