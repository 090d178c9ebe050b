"""Election Coding: workers vote on several partitions, then the server votes on the workers.

Symbols: n workers and n partitions, G [n, n] the allocation (G_ij = 1: worker i computes on
partition j), b Byzantine workers that the code stands, r = sum(G) / n the redundancy (gradients per
worker).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import bits
from signfed.strategies.server.strategy import RobustStrategy

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
        redundancy above the one asked for. Otherwise an empty row stays, and its worker votes +1
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
    Deviation: an empty row votes +1 (sign(0) = +1), where the authors' code sends 0.

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


class ElectionCoding(RobustStrategy):
    """Majority vote of coded workers, each of which sends the vote of its own partitions.

    v = sign(sum_i c_i),    c_i = sign(sum_j G_ij sign(g_j))

    One bit per coordinate goes up, as for a plain vote; a worker computes r gradients.

    Precondition: deterministic code: n odd and b <= (n-1)/2. A missing worker counts like a
    Byzantine one: the vote is exact while both together are at most b.

    Parameters
    ----------
    n_byzantine : int
        b, for which the deterministic code is built. The real number may differ.
    seed : int
        Of the Bernoulli matrix, which is drawn once a run.
    code : {"deterministic", "bernoulli"}
    redundancy : float
        r of the Bernoulli code, above 0.
    resample : bool
        See `bernoulli_matrix`.
    noise : float
        Standard deviation of what each holder adds to the gradient of a partition, at least 0.
    batch : float
        rho in (0, 1], the share of the run's batch size that the gradient of a partition takes.
        Whoever computes the gradients goes by it.

    Notes
    -----
    The server's half is a plain majority vote; `signfed.clients.coded` is the workers' half.

    Deviation: all n workers vote (one of the authors' scripts leaves one out). A local tie is +1
    (the authors abstain).

    References
    ----------
    Sohn et al. 2020, "Election Coding for Distributed Learning", Algorithm 1.

    Examples
    --------
    >>> import torch
    >>> votes = torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> ElectionCoding(n_byzantine=1).aggregate(Updates.from_matrix(votes, signs=True))
    tensor([ 1., -1.])
    """

    encoder = "sign"
    remembers_workers = True

    def __init__(
        self,
        n_byzantine: int = 0,
        seed: int = 0,
        code: Annotated[
            Literal["deterministic", "bernoulli"],
            Field(description="how partitions are allocated to workers"),
        ] = "deterministic",
        redundancy: Annotated[
            float, Field(gt=0, description="r of the Bernoulli code, partitions per worker")
        ] = 2.0,
        resample: Annotated[
            bool, Field(description="draw the Bernoulli code again until no worker is without one")
        ] = True,
        noise: Annotated[
            float,
            Field(
                ge=0,
                allow_inf_nan=False,
                description="standard deviation of noise on a partition's gradient",
            ),
        ] = 0.0,
        batch: Annotated[
            float,
            Field(gt=0, le=1, description="rho, share of batch-size of a partition's gradient"),
        ] = 1.0,
    ) -> None:
        self.n_byzantine = n_byzantine
        self.seed = seed
        self.code = code
        self.redundancy = redundancy
        self.resample = resample
        self.noise = noise
        self.batch = batch
        self._num_workers = 0
        self._bits = b""
        self._findings: dict[str, Any] = {}

    def check(self, num_workers: int, num_rounds: int) -> None:
        """Raise ValueError for workers that the code cannot serve."""
        super().check(num_workers, num_rounds)
        self.matrix(num_workers)

    def matrix(self, n: int) -> np.ndarray:
        """Return G, int8 [n, n]: a function of the options and the seed."""
        if self.code == "deterministic":
            return deterministic_matrix(n, self.n_byzantine)
        draws = generator(self.seed, "election", n)
        return bernoulli_matrix(n, self.redundancy, draws, self.resample)

    def instructions(self, num_workers: int) -> dict[str, Any]:
        """Return `allocation`, the bits of G row by row, and `noise`."""
        if num_workers != self._num_workers:  # drawn once a run
            matrix = self.matrix(num_workers)
            self._num_workers = num_workers
            self._findings = {"redundancy": float(matrix.sum()) / num_workers}
            self._bits = bits.pack(matrix.ravel()).tobytes()
        return {"allocation": self._bits, "noise": self.noise}

    def aggregate(self, updates: Updates) -> Tensor:
        if self.code == "deterministic" and self._num_workers:
            missing = self._num_workers - updates.n
            self._findings = self._findings | {"spare": self.n_byzantine - missing}
        return updates.signs().vote().dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `redundancy`: r; `spare`: how many more workers the exact vote stands to lose."""
        return self._findings
