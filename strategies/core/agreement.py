"""Weights for votes that may collude: 1, 0 or -1, from how often each two rows agree.

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

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from signfed.strategies.ops.packed import PackedSigns

Read = Callable[..., list[Tensor]]


def on_cpu(*tensors: Tensor) -> list[Tensor]:
    """Return tensors on the CPU, brought there one by one."""
    return [tensor.cpu() for tensor in tensors]


SIGMAS = 4.0  # of a coin's agreement: 1/sqrt(N)
LEAST = 0.1  # of the median standing, below which workers have too little in common to be judged
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
    differ = differ.to(torch.float64)
    return 1.0 - 2.0 * differ / signs.n_coordinates


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
        new = [worker for worker in ids if worker not in self._ids]
        self._ids += new
        grown = (0, len(new), 0, len(new))
        self._sums = torch.nn.functional.pad(self._sums, grown)
        self._rounds = torch.nn.functional.pad(self._rounds, grown)
        place = {worker: i for i, worker in enumerate(self._ids)}
        rows = torch.tensor([place[worker] for worker in ids])
        pairs = rows[:, None], rows
        self._sums[pairs] = MEMORY * self._sums[pairs] + agreement
        self._rounds[pairs] = MEMORY * self._rounds[pairs] + 1
        return self._sums[pairs] / self._rounds[pairs]

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
    others = agreement[~torch.eye(n, dtype=torch.bool)].reshape(n, n - 1)
    return others.sort(dim=1, descending=True).values[:, minority - 1]


def ternary_weights(now: Tensor, lately: Tensor, n_coordinates: int) -> Tensor:
    """Weigh each row 1, 0 or -1 by its standing.

    w_i = -1 where lately_i <= -max(tau, l / 2) and now_i <= 0
           0 else, where now_i and lately_i are below min(tau, l / 2)
           1 else

    tau = 4 / sqrt(N) is what coin flips reach by chance, and l the (F + 1)-th largest of `lately`,
    for odd n the median. Where l < max(tau, 0.1) nobody can be judged, and all weights are 1.

    Parameters
    ----------
    now, lately : Tensor, float64 [n]
        Standings in this round, and by the average agreements.
    n_coordinates : int
        N.

    Returns
    -------
    Tensor, float32 [n]

    Examples
    --------
    >>> standing = torch.tensor([0.4, 0.5, 0.4, 0.0, -0.4])
    >>> ternary_weights(standing, standing, n_coordinates=10_000)
    tensor([ 1.,  1.,  1.,  0., -1.])
    """
    level = float(lately.sort(descending=True).values[(len(lately) - 1) // 2])
    chance = SIGMAS / n_coordinates**0.5
    weights = torch.ones(len(lately))
    if level >= max(chance, LEAST):
        weights[torch.maximum(now, lately) < min(chance, level / 2)] = 0.0
        weights[(lately <= -max(chance, level / 2)) & (now <= 0)] = -1.0
    return weights


def silence_useless(signs: PackedSigns, weights: Tensor) -> Tensor:
    """Set the weight of rows to 0 that are read inverted and, so read, are no help.

    Where K rows are read inverted, they can turn the vote V of the rows with weight 1 only where
    0 < |V| <= K. A row that inverts honest signs, read inverted, agrees with V in half of these
    coordinates or more, however narrow the vote. One that was made to mislead whoever inverts it
    agrees in less than 2 of 5: of all of them, of those with |V| <= K/2, or of the narrowest, where
    it does most harm.

    Parameters
    ----------
    signs : PackedSigns, n rows
    weights : Tensor, float32 [n]
        1, 0, -1.

    Returns
    -------
    Tensor, float32 [n]

    Examples
    --------
    The last two rows oppose rows 0 to 4 where these are one mind, and are right where they are not:

    >>> sure, close = torch.ones(5, 6), torch.tensor([[1.0, 1, 1], *[[1, -1, 1], [-1, 1, -1]] * 2])
    >>> fooling = torch.tensor([[-1.0] * 6 + [1.0] * 3] * 2)
    >>> rows = PackedSigns.pack(torch.cat([torch.cat([sure, close], dim=1), fooling]))
    >>> silence_useless(rows, torch.tensor([1.0, 1, 1, 1, 1, -1, -1]))
    tensor([1., 1., 1., 1., 1., 0., 0.])
    """
    doubtful = signs.select(weights < 0)
    accepted = signs.select(weights > 0)
    k, n = len(doubtful.bits), len(accepted.bits)
    if not 0 < k < n:
        return weights
    narrowest = 2 - n % 2
    margins = {m for m in (narrowest, k // 2, k) if narrowest <= m <= k}
    spans = [((n - margin + 1) // 2, (n + margin) // 2 + 1) for margin in margins]
    majority = (n + 1) // 2
    numbers = sorted({majority, majority + 1, *chain.from_iterable(spans)})
    at_least = dict(zip(numbers, accepted.at_least_each(*numbers), strict=True))  # votes for +1
    wrong = doubtful.differs(at_least[majority])
    tests = [torch.ones(k, dtype=torch.bool, device=wrong.bits.device)]
    for fewest, more in spans:
        close = at_least[fewest].but(at_least[more])
        if n % 2 == 0:
            close = close.but(at_least[majority].but(at_least[majority + 1]))  # without ties
        tests.append(5 * wrong.among(close).ones() >= 2 * close.ones())
    useful = torch.stack(tests).all(dim=0).cpu()
    weights = weights.clone()
    weights[weights < 0] = torch.where(useful, -1.0, 0.0)
    return weights


def ternary_vote(signs: PackedSigns, weights: Tensor) -> PackedSigns:
    """Return sign(sum_i w_i Y_i) with sign(0) = +1 for weights 1, 0, -1, not all of them 0.

    Parameters
    ----------
    signs : PackedSigns, n rows
        Y_1 to Y_n.
    weights : Tensor [n]
        w_1 to w_n.

    Examples
    --------
    >>> rows = PackedSigns.pack(torch.tensor([[1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]]))
    >>> ternary_vote(rows, torch.tensor([1.0, 0.0, -1.0])).dense()
    tensor([ 1., -1.])
    """
    if (weights > 0).all():
        return signs.vote()
    read = [signs.select(weights > 0), signs.select(weights < 0).inverted()]
    return PackedSigns(torch.cat([rows.bits for rows in read]), signs.n_coordinates).vote()
