"""How often each two rows agree, for votes that may collude; see `strategies.core.ternary`.

Symbols: Y_i the signs of row i, n rows of N coordinates, a_ij = (1/N) sum_k Y_ik Y_jk the agreement
of two rows, F = floor((n - 1) / 2) the most rows that a minority can have.

No vote is a reference here. A row's standing is an order statistic that no minority can move past
what honest rows say of it:

    s_i = the F-th largest of {a_ij : j != i}

It is taken of this round and of an average over the last ten or so. A worker has to fail in both:
one batch that is unlike the others is no fault, and nobody who mends its ways has to wait.

At most F - 1 of the others share a Byzantine row's interest, so its standing is at most its
agreement with some honest row. At least F of the others are honest for an honest row, so its
standing is at least its smallest agreement with an honest row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.ops.packed import PackedSigns

Read = Callable[..., list[Tensor]]


def on_cpu(*tensors: Tensor) -> list[Tensor]:
    """Return tensors on the CPU, brought there one by one."""
    return [tensor.cpu() for tensor in tensors]


MEMORY = 0.9  # a round that is k rounds old counts 0.9^k in the average


def agreements(signs: PackedSigns, read: Read = on_cpu) -> Tensor:
    """Return a_ij = (1/N) sum_k Y_ik Y_jk of all pairs of rows: float64 [n, n] in [-1, 1].

    Parameters
    ----------
    signs : PackedSigns, n rows
    read : callable, optional
        Brings tensors to the CPU: `Updates.read`.

    Examples
    --------
    >>> rows = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, -1], [-1, -1, -1, -1]])
    >>> agreements(PackedSigns.pack(rows)).tolist()
    [[1.0, 0.5, -1.0], [0.5, 1.0, -0.5], [-1.0, -0.5, 1.0]]
    """
    [differ] = read(signs.pairwise_disagreements())
    return 1.0 - 2.0 * differ.to(torch.float64) / signs.n_coordinates


class Averages:
    """Agreements of pairs of workers, averaged over the rounds in which both were there.

    A round that is k such rounds old counts 0.9^k.

    Examples
    --------
    >>> averages = Averages()
    >>> _ = averages.add([3, 5], torch.tensor([[1.0, 0.9], [0.9, 1.0]]))
    >>> averages.add([3, 5], torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))[0, 1].round(decimals=3)
    tensor(-0.1000, dtype=torch.float64)
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._sums = self._rounds = torch.zeros(0, 0, dtype=torch.float64)

    def add(self, ids: Sequence[int], agreement: Tensor) -> Tensor:
        """Count a round, and return the averages of those that are there.

        Parameters
        ----------
        ids : sequence of int
            The workers of the rows.
        agreement : Tensor, float64 [n, n]
            a_ij of the round.

        Returns
        -------
        Tensor, float64 [n, n]
        """
        if list(ids) == self._ids:  # as in most rounds, and then no pair has to be looked up
            self._sums.mul_(MEMORY).add_(agreement)
            self._rounds.mul_(MEMORY).add_(1)
            return self._sums / self._rounds
        new = [worker for worker in ids if worker not in self._ids]
        self._ids += new
        pad, grown = torch.nn.functional.pad, (0, len(new), 0, len(new))
        self._sums, self._rounds = pad(self._sums, grown), pad(self._rounds, grown)
        place = {worker: i for i, worker in enumerate(self._ids)}
        rows = torch.tensor([place[worker] for worker in ids])
        pairs = rows[:, None], rows
        self._sums[pairs] = MEMORY * self._sums[pairs] + agreement
        self._rounds[pairs] = MEMORY * self._rounds[pairs] + 1
        return self._sums[pairs] / self._rounds[pairs]

    def forget(self, workers: Collection[int]) -> None:
        """Drop all pairs with one of these workers; those of the others stay as they are.

        Parameters
        ----------
        workers : collection of int
        """
        kept = torch.tensor([worker not in workers for worker in self._ids], dtype=torch.bool)
        self._ids = [worker for worker in self._ids if worker not in workers]
        self._sums, self._rounds = (all_[kept][:, kept] for all_ in (self._sums, self._rounds))

    def state_dict(self) -> dict[str, Tensor]:
        """Return `ids`, and `sums` and `rounds` of all pairs of them."""
        ids = torch.tensor(self._ids, dtype=torch.int64)
        return {"ids": ids, "sums": self._sums.clone(), "rounds": self._rounds.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state_dict` returned."""
        self._ids = state["ids"].tolist()
        self._sums, self._rounds = state["sums"].clone(), state["rounds"].clone()


def standings(agreement: Tensor) -> Tensor:
    """Return s_i, the F-th largest agreement of each row with the others.

    Parameters
    ----------
    agreement : Tensor, float64 [n, n]
        a_ij; the diagonal is not read.

    Returns
    -------
    Tensor, float64 [n]
        1 for all where F = 0, which is to say that n < 3.

    Examples
    --------
    Two rows that agree vouch for each other, F = 1:

    >>> standings(torch.tensor([[1.0, 0.5, -1.0], [0.5, 1.0, -0.5], [-1.0, -0.5, 1.0]]))
    tensor([ 0.5000,  0.5000, -0.5000])
    """
    n = len(agreement)
    minority = (n - 1) // 2
    if not minority:
        return torch.ones(n, dtype=agreement.dtype)
    # NumPy finds one place of an order without sorting the rest.
    others = agreement.numpy().copy()
    np.fill_diagonal(others, -np.inf)
    others.partition(n - minority, axis=1)
    return torch.from_numpy(others[:, n - minority].copy())
