"""Random generators as pure functions of who, when and what for."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """A generator of its own for (seed, purpose, keys), e.g. (0, "batch", worker, round).

    The same arguments give the same stream in any process and in any order of calls; different
    purposes give independent streams. seed and keys: integers >= 0.
    """
    entropy = (seed, zlib.crc32(purpose.encode()), *keys)
    if max(entropy) < 1 << 32:
        # The stream of default_rng(entropy), made in half the time; a round makes one a worker.
        words = np.array(entropy, dtype=np.uint32)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    return np.random.default_rng(entropy)
