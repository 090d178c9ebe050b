"""Election Coding on a node: the vote of the partitions that it holds."""

from __future__ import annotations

import numpy as np

from signfed.clients.honest import GradientFn
from signfed.strategies.core.seeds import generator


def local_vote(signs: np.ndarray) -> np.ndarray:
    """sign of the column sums with sign(0) = +1: +1/-1 [k, N] -> float32 [N]."""
    return np.where(signs.sum(axis=0, dtype=np.int32) >= 0, np.float32(1), np.float32(-1))


class CodedGradients:
    """The GradientFn of coded workers: worker i answers with the local vote c_i.

    c_i = maj{sign(g_j) : G_ij = 1}, where g_j is the gradient of partition j, the same bits at
    every holder: it is a pure function of (parameters, j, round), and so is its noise.

    One object serves one set of parameters: a partition's sign is computed once, however many of
    the node's workers hold it.

    allocation: G, int [n, n] of 0 and 1. noise: standard deviation added to each partition's
    gradient before its sign (noisy computation); 0 for none.
    Reference: Sohn et al. 2020, Algorithm 1, worker lines; local tie as in strategies.election.
    """

    def __init__(
        self, gradient: GradientFn, allocation: np.ndarray, *, noise: float = 0.0, seed: int = 0
    ) -> None:
        self._gradient = gradient
        self._allocation = allocation
        self._noise = noise
        self._seed = seed
        self._signs: dict[tuple[int, int], np.ndarray] = {}

    def __call__(self, parameters: np.ndarray, worker: int, server_round: int) -> np.ndarray:
        partitions = np.flatnonzero(self._allocation[worker])
        votes = [self.sign(parameters, int(j), server_round) for j in partitions]
        shape = (len(votes), len(parameters))
        return local_vote(np.reshape(votes, shape))

    def sign(self, parameters: np.ndarray, partition: int, server_round: int) -> np.ndarray:
        """Sign of a partition's gradient, computed in the first call: int8 +1/-1 [N]."""
        if (partition, server_round) not in self._signs:
            self._signs[partition, server_round] = self._computed(
                parameters, partition, server_round
            )
        return self._signs[partition, server_round]

    def _computed(self, parameters: np.ndarray, partition: int, server_round: int) -> np.ndarray:
        gradient = self._gradient(parameters, partition, server_round)
        if self._noise:
            draws = generator(self._seed, "noise", partition, server_round)
            noise = draws.standard_normal(len(gradient), dtype=np.float32)
            gradient = gradient + np.float32(self._noise) * noise
        return np.where(gradient >= 0, np.int8(1), np.int8(-1))
