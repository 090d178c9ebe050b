"""Streams of draws: who, when and what for, each by itself."""

import zlib

import numpy as np
import pytest

from signfed.strategies.core.seeds import generator


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32, 2**63 - 1])
def test_each_purpose_and_key_has_its_own_stream_whatever_the_seed(seed):
    first = [
        generator(seed, purpose, worker, server_round).integers(1 << 60)
        for purpose in ("batch", "noise")
        for worker in (0, 1)
        for server_round in (1, 2)
    ]
    assert len(set(first)) == 8
    plain = np.random.default_rng((seed, zlib.crc32(b"batch"), 0, 1))
    assert first[0] == plain.integers(1 << 60)
