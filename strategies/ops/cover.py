"""Vertex covers: which few vertices of a graph touch all of its edges.

A graph is a list of whole numbers: bit u of `edges[v]` is set where u and v are joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def covers(edges: Sequence[int], size: int) -> Iterator[int]:
    """Find sets of `size` vertices that touch every edge.

    Not all of them, but one that is the greatest as a number is among them, if there is any. A step
    takes the vertex v with the most edges left: either v is chosen, or all its neighbours are. So
    there are no more than 1.62^size of them (Fibonacci's numbers, as v has two neighbours or more).

    Parameters
    ----------
    edges : sequence of int
        The graph.
    size : int, from 0 to the number of vertices

    Yields
    ------
    int
        The chosen vertices, as bits.

    Examples
    --------
    >>> path = [0b010, 0b101, 0b010]  # 0 - 1 - 2
    >>> [f"{chosen:03b}" for chosen in covers(path, 1)]
    ['010']
    >>> f"{max(covers(path, 2)):03b}"
    '110'
    """
    yield from _covers(edges, (1 << len(edges)) - 1, 0, size)


def _covers(edges: Sequence[int], left: int, chosen: int, size: int) -> Iterator[int]:
    """Go on where the edges between the vertices `left` are not touched, with `size` to choose."""
    degrees = {v: (edges[v] & left).bit_count() for v in members(left)}
    most = max(degrees, key=degrees.__getitem__, default=0)
    highest = degrees.get(most, 0)
    if sum(degrees.values()) > 2 * size * highest:
        return  # each choice touches `highest` edges at most
    if highest > 1:
        yield from _covers(edges, left & ~(1 << most), chosen | 1 << most, size - 1)
        neighbours = edges[most] & left
        if highest <= size:
            rest = left & ~neighbours & ~(1 << most)
            yield from _covers(edges, rest, chosen | neighbours, size - highest)
        return
    # Of each pair of neighbours the greater, then the greatest that there are.
    pairs = sum(1 << v for v in members(left) if edges[v] & left & ((1 << v) - 1))
    chosen, size = chosen | pairs, size - pairs.bit_count()
    free = [v for v in range(len(edges)) if not chosen >> v & 1]
    yield chosen | sum(1 << v for v in free[len(free) - size :])


def members(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, ascending."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
