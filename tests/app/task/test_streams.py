"""Generators of many workers are those of each: NumPy's own, to the last bit."""

import numpy as np
import pytest

from signfed.app.task.streams import FEW, generators, starts
from signfed.strategies.core.seeds import generator

MANY = [0, 1, 2, 77, 4095, 65_536, 2**31, 2**32 - 1, *range(300, 350)]
assert len(MANY) > FEW


@pytest.mark.parametrize("at", [(1,), (3200,), (2**32 - 1,), (7, 1), (7, 0), (7, 3, 9)])
@pytest.mark.parametrize("seed", [0, 1, 42, 2**31, 2**32 - 1])
@pytest.mark.parametrize("purpose", ["batch", "augment", "dropout"])
def test_the_streams_are_those_of_numpy(seed, purpose, at):
    given = starts(seed, purpose, MANY, *at)
    made = list(generators(seed, purpose, MANY, *at))
    assert given.dtype == np.int64 and given.shape == (len(MANY), 4) and len(made) == len(MANY)
    for worker, start, found in zip(MANY, given, made, strict=True):
        expected = generator(seed, purpose, worker, *at)
        state = expected.bit_generator.state
        assert found.bit_generator.state == state
        assert start.astype("<i8").tobytes() == b"".join(
            state["state"][name].to_bytes(16, "little") for name in ("state", "inc")
        )
        drawn = [draws.choice(400, 64, replace=False) for draws in (found, expected)]
        assert np.array_equal(*drawn)


def test_many_rounds_of_many_seeds():
    """Half a million words, so that every carry of 128 bits is among them."""
    for seed in range(0, 2**32, 2**26 + 12_345):
        for server_round in (1, 2, 99_999):
            given = starts(seed, "dropout", range(500), server_round)
            some = (seed % 500, server_round % 500, 499)
            for worker in some:
                state = generator(seed, "dropout", worker, server_round).bit_generator.state
                low, high = given[worker].view(np.uint64)[:2].tolist()
                assert low + (high << 64) == state["state"]["state"]


@pytest.mark.parametrize(
    "seed, workers, at",
    [
        pytest.param(2**40, range(9), (1,), id="a long seed"),
        pytest.param(1, [*range(9), 2**33], (1,), id="a long worker"),
        pytest.param(1, range(9), (2**64 + 3,), id="a long round"),
        pytest.param(1, range(FEW - 1), (5,), id="few"),
        pytest.param(1, [4], (5, 1), id="one"),
        pytest.param(1, [], (5,), id="nobody"),
    ],
)
def test_what_does_not_fit_or_is_not_worth_it_goes_one_by_one(seed, workers, at):
    given = starts(seed, "batch", workers, *at)
    assert given.shape == (len(workers), 4)
    for worker, found in zip(workers, generators(seed, "batch", workers, *at), strict=True):
        expected = generator(seed, "batch", worker, *at)
        assert found.bit_generator.state == expected.bit_generator.state
        assert found.random() == expected.random()


@pytest.mark.parametrize("workers", [[3], MANY])
def test_they_spawn_as_numpys_do(workers):
    for worker, made in zip(workers, generators(5, "augment", workers, 7), strict=True):
        expected = generator(5, "augment", worker, 7)
        for n in (2, 1):  # the second time others
            for one, other in zip(made.spawn(n), expected.spawn(n), strict=True):
                assert one.bit_generator.state == other.bit_generator.state
