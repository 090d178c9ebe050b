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

from signfed.strategies.core.allocation import bernoulli_matrix, deterministic_matrix, to_bytes
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.strategy import RobustStrategy


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
        Standard deviation of what is added to the gradient of a partition, alike at every holder,
        at least 0.
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
    coded = True

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
            self._bits = to_bytes(matrix)
        return {"allocation": self._bits, "noise": self.noise}

    def aggregate(self, updates: Updates) -> Tensor:
        if self.code == "deterministic" and self._num_workers:
            missing = self._num_workers - updates.n
            self._findings = self._findings | {"spare": self.n_byzantine - missing}
        return updates.signs().vote().dense()

    def diagnostics(self) -> dict[str, Any]:
        """Return `redundancy`: r; `spare`: how many more workers the exact vote stands to lose."""
        return self._findings
