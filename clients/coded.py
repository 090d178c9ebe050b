"""Election Coding on a node: the vote of the partitions that a worker holds."""

from __future__ import annotations

import numpy as np

from signfed.clients.honest import GradientFn
from signfed.strategies.core.seeds import generator


def local_vote(signs: np.ndarray) -> np.ndarray:
    """Return the sign of the column sums, with sign(0) = +1.

    Parameters
    ----------
    signs : ndarray, int8 [k, N]
        +1/-1.

    Returns
    -------
    ndarray, float32 [N]
        +1/-1.

    Examples
    --------
    >>> local_vote(np.array([[1, 1, -1], [-1, 1, -1]], np.int8))
    array([ 1.,  1., -1.], dtype=float32)
    """
    return np.where(signs.sum(axis=0, dtype=np.int32) >= 0, np.float32(1), np.float32(-1))


class CodedGradients:
    """The GradientFn of coded workers: worker i answers with its local vote c_i.

    c_i = maj{sign(g_j) : G_ij = 1}, where g_j is the gradient of partition j. It has the same bits
    at every holder, since it is a pure function of (parameters, j, server_round), and so has its
    noise. One object serves one set of parameters: the sign of a partition is computed once,
    however many of the node's workers hold it.

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

    References
    ----------
    Sohn et al. 2020 (Election Coding), Algorithm 1, lines of the workers.

    Notes
    -----
    Deviation from the paper: a local tie is +1, as in `strategies.election`.
    """

    def __init__(
        self, gradient: GradientFn, allocation: np.ndarray, *, noise: float = 0.0, seed: int = 0
    ) -> None:
        self._gradient = gradient
        self._allocation = allocation
        self._noise = noise
        self._seed = seed
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
        return local_vote(np.reshape(votes, (len(votes), len(parameters))))

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
            +1/-1; None where the gradient is not finite.
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
        finite = np.isfinite(gradient).all()
        return np.where(gradient >= 0, np.int8(1), np.int8(-1)) if finite else None
