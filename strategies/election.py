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
from signfed.strategies.sign_mv import ON_TIE, majority_vote


class ElectionCoding(RobustStrategy):
    """Majority vote of coded workers, each of which sends the vote of its own partitions.

    v = sign(sum_i c_i),    c_i = sign(sum_j G_ij sign(g_j))

    One bit per coordinate goes up, as for a plain vote; a worker computes r gradients. In all three
    signs, sign(0) is what `tie` says.

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
    tie : {"plus", "random", "zero"}
        What sign(0) is: of an exact 0 in a partition's gradient, of a tie among a worker's
        partitions, and of one among the workers. "plus": +1. "random": fair coins of (seed,
        server_round, coordinate) and, but for the server's, of the partition or the worker.
        "zero": 0, an abstention, as in the authors' code. Three symbols fit no row of signs, so the
        rule then asks for `float32`, 32 bits per coordinate each way; an encoder of signs that is
        named instead sends the 0 as what it makes of it.

    Notes
    -----
    The server's half is a plain majority vote; `signfed.clients.coded` is the workers' half.

    Deviation: all n workers vote (one of the authors' scripts leaves one out). The authors' nodes
    abstain of an exact 0 and of a tie, which rows of an even number of partitions have. One bit has
    no third value: it is +1, or with tie="random" a coin; tie="zero" abstains, at 32 bits.

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
        tie: Annotated[
            Literal["plus", "random", "zero"],
            Field(description="what a tie and an exact 0 give: +1, a coin, 0 (in 32 bits)"),
        ] = "plus",
    ) -> None:
        self.n_byzantine = n_byzantine
        self.seed = seed
        self.code = code
        self.redundancy = redundancy
        self.resample = resample
        self.noise = noise
        self.batch = batch
        self.tie = tie
        if tie == "zero":
            self.encoder = "float32"
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
        """Return `allocation`, the bits of G row by row, `noise` and `tie`."""
        if num_workers != self._num_workers:  # drawn once a run
            matrix = self.matrix(num_workers)
            self._num_workers = num_workers
            self._findings = {"redundancy": float(matrix.sum()) / num_workers}
            self._bits = to_bytes(matrix)
        return {"allocation": self._bits, "noise": self.noise, "tie": self.tie}

    def aggregate(self, updates: Updates) -> Tensor:
        if self.code == "deterministic" and self._num_workers:
            missing = self._num_workers - updates.n
            self._findings = self._findings | {"spare": self.n_byzantine - missing}
        if self.tie == "zero":
            return updates.dense().sign().sum(dim=0).sign()
        on_tie = None if updates.n % 2 else ON_TIE[self.tie](updates, self.seed, None)
        return majority_vote(updates.signs(), on_tie)

    def diagnostics(self) -> dict[str, Any]:
        """Return `redundancy`: r; `spare`: how many more workers the exact vote stands to lose."""
        return self._findings
