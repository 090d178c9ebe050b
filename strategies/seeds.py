"""Random generators as pure functions of who, when and what for."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """A generator of its own for (seed, purpose, keys), e.g. (0, "batch", worker, round).

    The same arguments give the same stream in any process and in any order of calls; different
    purposes give independent streams. seed and keys: integers >= 0.
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *keys])
