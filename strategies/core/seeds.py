"""Random generators as pure functions of who, when and what for."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """Make the generator of (seed, purpose, keys), for instance (0, "batch", worker, server_round).

    The same arguments give the same stream in any process and in any order of calls. Other
    arguments give an independent stream.

    Parameters
    ----------
    seed : int
        Of the run, at least 0.
    purpose : str
        What is drawn.
    *keys : int
        Worker, round and the like, at least 0.

    Examples
    --------
    >>> [int(generator(0, "batch", 3, server_round).integers(100)) for server_round in (1, 2)]
    [57, 92]
    """
    entropy = (seed, zlib.crc32(purpose.encode()), *keys)
    if max(entropy) < 1 << 32:
        # The stream of default_rng(entropy), made in half the time; a round makes one a worker.
        words = np.array(entropy, dtype=np.uint32)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    return np.random.default_rng(entropy)
