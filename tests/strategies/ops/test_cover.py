"""Vertex covers against all subsets."""

from itertools import combinations

import numpy as np
import pytest

from signfed.strategies.ops.cover import covers, members


def graph(seed, n, share):
    joined = np.triu(np.random.default_rng(seed).random((n, n)) < share, 1)
    joined |= joined.T
    return [sum(1 << int(u) for u in np.flatnonzero(row)) for row in joined]


def every_cover(edges, size):
    n = len(edges)
    for chosen in combinations(range(n), size):
        bits = sum(1 << v for v in chosen)
        if all(bits >> v & 1 or not edges[v] & ~bits for v in range(n)):
            yield bits


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.4, 1.0])
@pytest.mark.parametrize("n", [1, 2, 6, 9])
def test_the_greatest_cover_is_found_and_all_are_covers(n, share):
    for seed in range(6):
        edges = graph(seed, n, share)
        for size in range(n + 1):
            found, expected = set(covers(edges, size)), set(every_cover(edges, size))
            assert found <= expected and bool(found) == bool(expected)
            assert max(found, default=None) == max(expected, default=None)


@pytest.mark.parametrize("lengths", [[3] * 12, [5] * 8, [4] * 12, [7] * 6, [49]])
def test_circles_are_the_worst_and_do_not_take_long(lengths):
    """24 of about 48 vertices; the bound is Fibonacci's 121,393, the most found 15,625."""
    edges, start = [], 0
    for length in lengths:
        for i in range(length):
            edges.append(1 << start + (i + 1) % length | 1 << start + (i - 1) % length)
        start += length
    assert sum(1 for _ in covers(edges, 24)) <= 15_625


def test_members_are_the_bits_that_are_set():
    assert list(members(0b1010010)) == [1, 4, 6] and list(members(0)) == []
