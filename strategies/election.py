"""Election Coding: workers vote on several partitions, then the server votes on the workers.

Symbols: n workers and n partitions, G [n, n] the allocation (G_ij = 1: worker i computes on
partition j), b liars that the code stands, r = sum(G) / n the redundancy (gradients per worker).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.vote import majority_vote
from signfed.strategies.server.strategy import RobustStrategy

MAX_DRAWS = 10_000  # of a Bernoulli matrix without an empty row


def deterministic_matrix(n: int, b: int) -> np.ndarray:
    """The deterministic code: int8 [n, n]; exact for every message and every b of n liars.

    With s = (n-1)/2 - b and L = floor((n+1) / (2(b+1))), rows 1..s hold one partition each, rows
    s+1..s+L hold 2b+1 consecutive ones, overlapping by b, the others hold all.
    r = (n+2b+1)/2 - (L - 1/2)(n-2b-1)/n.

    n: odd. b: 0..(n-1)/2. Raises ValueError otherwise.
    "Exact" is with respect to the majority of the n partition signs.
    Reference: Sohn et al. 2020, supplement (D.7), (D.12), (D.22); Theorem 3.
    Deviation from the paper: none.

    >>> deterministic_matrix(5, 1).tolist()[:2]
    [[1, 0, 0, 0, 0], [0, 1, 1, 1, 0]]
    """
    if n % 2 == 0:
        raise ValueError(f"the deterministic code needs an odd number of workers, got {n}")
    if not 0 <= b <= (n - 1) // 2:
        raise ValueError(
            f"the deterministic code for n={n} needs 0 <= b <= {(n - 1) // 2}, got {b}"
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
    """G_ij ~ Bernoulli(redundancy / n), independent: int8 [n, n].

    resample: draw the whole matrix again until no row is empty, which raises the mean redundancy
    above the one asked for; otherwise an empty row stays, and its worker votes +1 everywhere.
    redundancy: in (0, n].
    Reference: Sohn et al. 2020, Definition of the Bernoulli code; authors' code for `resample`.
    Deviation from the paper: an empty row votes +1 (sign(0) = +1), where the code sends 0.
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

    One bit per coordinate goes up, as for a plain vote; a worker computes r gradients.
    n_byzantine: b that the deterministic code is built for; the real number may differ.
    code: "deterministic" or "bernoulli". redundancy: r of the Bernoulli code. resample: see
    `bernoulli_matrix`. noise: standard deviation that each holder adds to a partition's gradient.
    batch: rho, the share of the run's batch size that a partition's gradient takes; whoever
    computes the gradients goes by it. seed: of the Bernoulli matrix, drawn once a run.
    Precondition: deterministic: n odd and b <= (n-1)/2. A missing worker counts as a liar: the
    vote is exact while liars + missing <= b (`spare` in the diagnostics is b - missing).
    Reference: Sohn et al. 2020, Algorithm 1.
    Deviation from the paper: all n workers vote (one of the authors' scripts leaves one out); a
    local tie is +1 (the authors abstain).
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
        super().check(num_workers, num_rounds)
        self.matrix(num_workers)

    def matrix(self, n: int) -> np.ndarray:
        """G, int8 [n, n]; a function of the hyper-parameters and the seed."""
        if self.code == "deterministic":
            return deterministic_matrix(n, self.n_byzantine)
        draws = generator(self.seed, "election", n)
        return bernoulli_matrix(n, self.redundancy, draws, self.resample)

    def instructions(self, num_workers: int) -> dict[str, Any]:
        if num_workers != self._num_workers:  # drawn once a run
            matrix = self.matrix(num_workers)
            self._num_workers = num_workers
            self._findings = {"redundancy": float(matrix.sum()) / num_workers}
            self._bits = np.packbits(matrix, bitorder="little").tobytes()
        return {"allocation": self._bits, "noise": self.noise}

    def aggregate(self, updates: Updates) -> Tensor:
        if self.code == "deterministic" and self._num_workers:
            missing = self._num_workers - updates.n
            self._findings = self._findings | {"spare": self.n_byzantine - missing}
        return majority_vote(updates)

    def diagnostics(self) -> dict[str, Any]:
        return self._findings
