"""Election Coding: which worker computes on which partitions, and how workers learn it.

Symbols: n workers and n partitions, G [n, n] the allocation (G_ij = 1: worker i computes on
partition j), b Byzantine workers that the code stands, r = sum(G) / n the redundancy.
"""

from __future__ import annotations

import numpy as np

from signfed.strategies.ops import bits

MAX_DRAWS = 10_000  # of a Bernoulli matrix without an empty row


def deterministic_matrix(n: int, b: int) -> np.ndarray:
    """Allocate by the deterministic code, exact for every message and any b Byzantine workers.

    With s = (n-1)/2 - b and L = floor((n+1) / (2(b+1))): rows 1..s hold one partition each, rows
    s+1..s+L hold 2b+1 consecutive ones that overlap by b, the others hold all.
    r = (n+2b+1)/2 - (L - 1/2)(n-2b-1)/n. "Exact" means: the vote of the server is the majority of
    the signs of the n partitions.

    Parameters
    ----------
    n : int
        Odd.
    b : int
        From 0 to (n-1)/2.

    Returns
    -------
    ndarray of int8, shape [n, n]

    Raises
    ------
    ValueError
        For other n or b.

    Notes
    -----
    Deviation: none.

    References
    ----------
    Sohn et al. 2020, supplement (D.7), (D.12), (D.22); Theorem 3.

    Examples
    --------
    >>> deterministic_matrix(5, 1).tolist()[:2]
    [[1, 0, 0, 0, 0], [0, 1, 1, 1, 0]]
    """
    if n % 2 == 0:
        raise ValueError(
            f"the deterministic code needs an odd number of workers, got {n}; run {n - 1} or "
            f"{n + 1}, or set election.code='bernoulli'"
        )
    if not 0 <= b <= (n - 1) // 2:
        raise ValueError(
            f"the deterministic code for n={n} needs 0 <= b <= {(n - 1) // 2}, got {b}; lower "
            f"num-byzantine or assumed-byzantine"
        )
    single = (n - 1) // 2 - b
    windows = (n + 1) // (2 * (b + 1))
    matrix = np.ones((n, n), np.int8)
    matrix[:single] = np.eye(n, dtype=np.int8)[:single]
    for j in range(windows):
        start = single + j * (b + 1)
        matrix[single + j] = 0
        matrix[single + j, start : start + 2 * b + 1] = 1
    return matrix


def bernoulli_matrix(
    n: int, redundancy: float, draws: np.random.Generator, resample: bool = True
) -> np.ndarray:
    """Allocate by the Bernoulli code: G_ij ~ Bernoulli(redundancy / n), independent.

    Parameters
    ----------
    n : int
    redundancy : float
        Expected r, in (0, n].
    draws : Generator
    resample : bool
        Whether to draw the whole matrix again until no row is empty, which raises the mean
        redundancy above the one asked for. Otherwise an empty row stays, and its worker is tied
        everywhere.

    Returns
    -------
    ndarray of int8, shape [n, n]

    Raises
    ------
    ValueError
        For a redundancy out of range, or so low that each of 10,000 draws had an empty row.

    Notes
    -----
    Deviation: none; what a tie is sent as is the rule's choice (the authors' code sends 0).

    References
    ----------
    Sohn et al. 2020, definition of the Bernoulli code; the authors' code for `resample`.

    Examples
    --------
    >>> bernoulli_matrix(3, 3.0, np.random.default_rng(0)).tolist()
    [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    """
    if not 0 < redundancy <= n:
        raise ValueError(f"redundancy: expected a number in (0, {n}], got {redundancy}")
    for _ in range(MAX_DRAWS):
        matrix = (draws.random((n, n)) < redundancy / n).astype(np.int8)
        if not resample or matrix.any(axis=1).all():
            return matrix
    raise ValueError(
        f"redundancy: expected more than {redundancy} for {n} workers, or resample=False: a worker "
        f"had no partition in each of {MAX_DRAWS} draws"
    )


def to_bytes(matrix: np.ndarray) -> bytes:
    """Return an allocation for a message: the bits of G, row after row.

    Examples
    --------
    >>> from_bytes(to_bytes(deterministic_matrix(3, 0)), 3).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    return bits.pack(matrix.ravel()).tobytes()


def from_bytes(packed: bytes, n: int) -> np.ndarray:
    """Return the allocation that `to_bytes` packed, uint8 [n, n].

    Parameters
    ----------
    packed : bytes
        ceil(n^2 / 8) bytes.
    n : int
        Number of workers.
    """
    return bits.unpack(np.frombuffer(packed, np.uint8), n * n).reshape(n, n)
