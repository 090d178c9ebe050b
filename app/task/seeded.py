"""Users' code under seeded generators, and whether it draws from them."""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_LOCK = threading.RLock()  # the global generators belong to the whole process


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and random; put them back afterwards.

    Whatever the body takes from them is a function of the seed. One thread at a time.

    Parameters
    ----------
    seed : int
        At least 0; NumPy takes its lowest 32 bits.

    Examples
    --------
    >>> with seeded(3):
    ...     first = torch.rand(2)
    >>> with seeded(3):
    ...     again = torch.rand(2)
    >>> torch.equal(first, again)
    True
    """
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with _LOCK, torch.random.fork_rng(devices=gpus):
        before = random.getstate(), np.random.get_state()
        random.seed(seed)
        np.random.seed(seed % (1 << 32))
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


@contextmanager
def watched() -> Iterator[list[str]]:
    """Yield a list that names, after the body, the global generators that the body drew from.

    Examples
    --------
    >>> with watched() as drawn, seeded(0):
    ...     value = random.random()
    >>> drawn  # seeded() has put the generator back
    []
    """
    drawn: list[str] = []
    before = _states()
    yield drawn
    after = _states()
    drawn += [name for name in before if before[name] != after[name]]


def _states() -> dict[str, bytes]:
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "NumPy": pickle.dumps(np.random.get_state()),
        "random": pickle.dumps(random.getstate()),
    }
