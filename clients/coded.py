"""Election Coding on a node: the vote of the partitions that a worker holds."""

from __future__ import annotations

import numpy as np

from signfed.clients.honest import GradientFn
from signfed.strategies.core.seeds import generator


def local_vote(signs: np.ndarray) -> np.ndarray:
    """Return the sign of the column sums, 0 where they are tied.

    Parameters
    ----------
    signs : ndarray, int8 [k, N]
        +1, 0 or -1.

    Returns
    -------
    ndarray, int8 [N]

    Examples
    --------
    >>> local_vote(np.array([[1, 1, -1], [-1, 1, 0]], np.int8))
    array([ 0,  1, -1], dtype=int8)
    """
    return np.sign(signs.sum(axis=0, dtype=np.int32)).astype(np.int8)


class CodedGradients:
    """The GradientFn of coded workers: worker i answers with its local vote c_i.

    c_i = sign(sum_j G_ij sign(g_j)), where g_j is the gradient of partition j. It has the same bits
    at every holder, since it is a pure function of (parameters, j, server_round), and so have its
    noise and its sign. One object serves one set of parameters: the sign of a partition is computed
    once, however many of the node's workers hold it.

    Parameters
    ----------
    gradient : GradientFn
        Its worker is the partition.
    allocation : ndarray, int [n, n]
        G, of 0 and 1.
    noise : float, >= 0
        Standard deviation of what is added to a partition's gradient before its sign.
    seed : int
        Seed of the run.
    tie : {"plus", "random", "zero"}
        What sign(0) is, of a partition's gradient and of a worker's sum. "plus": +1. "zero": 0.
        "random": a fair coin for each coordinate, of (seed, j, server_round) for a gradient and of
        (seed, i, server_round) for a sum.

    References
    ----------
    Sohn et al. 2020 (Election Coding), Algorithm 1, lines of the workers.

    Notes
    -----
    Deviation from the paper: as in `strategies.election`.
    """

    def __init__(
        self,
        gradient: GradientFn,
        allocation: np.ndarray,
        *,
        noise: float = 0.0,
        seed: int = 0,
        tie: str = "plus",
    ) -> None:
        self._gradient = gradient
        self._allocation = allocation
        self._noise = noise
        self._seed = seed
        self._tie = tie
        self._signs: dict[tuple[int, int], np.ndarray | None] = {}

    def __call__(self, parameters: np.ndarray, worker: int, server_round: int) -> np.ndarray:
        """Return the local vote of a worker, float32 [N]; NaN where a partition has no sign.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        worker : int
            Its id.
        server_round : int
            Number of the round.
        """
        partitions = np.flatnonzero(self._allocation[worker])
        found = [self.sign(parameters, int(j), server_round) for j in partitions]
        votes = [vote for vote in found if vote is not None]
        if len(votes) < len(found):
            return np.full(len(parameters), np.nan, np.float32)
        vote = local_vote(np.reshape(votes, (len(votes), len(parameters))))
        return self._settled(vote, "tie of partitions", worker, server_round).astype(np.float32)

    def sign(self, parameters: np.ndarray, partition: int, server_round: int) -> np.ndarray | None:
        """Return the sign of a partition's gradient, computed in the first call.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        partition : int
            Its number.
        server_round : int
            Number of the round.

        Returns
        -------
        ndarray, int8 [N], or None
            +1/-1, with tie="zero" also 0; None where the gradient is not finite.
        """
        key = partition, server_round
        if key not in self._signs:
            self._signs[key] = self._computed(parameters, partition, server_round)
        return self._signs[key]

    def _computed(
        self, parameters: np.ndarray, partition: int, server_round: int
    ) -> np.ndarray | None:
        gradient = self._gradient(parameters, partition, server_round)
        if self._noise:
            draws = generator(self._seed, "noise", partition, server_round)
            noise = draws.standard_normal(len(gradient), dtype=np.float32)
            gradient = gradient + np.float32(self._noise) * noise
        if not np.isfinite(gradient).all():
            return None
        signs = np.sign(gradient).astype(np.int8)
        return self._settled(signs, "zero of a partition", partition, server_round)

    def _settled(self, signs: np.ndarray, purpose: str, *keys: int) -> np.ndarray:
        """The signs with what a 0 counts as; coins are of (seed, purpose, keys)."""
        zero = signs == 0
        if self._tie == "zero" or not zero.any():
            return signs
        if self._tie == "plus":
            return np.where(zero, np.int8(1), signs)
        coins = generator(self._seed, purpose, *keys).integers(2, size=len(signs), dtype=np.int8)
        return np.where(zero, 2 * coins - 1, signs)
