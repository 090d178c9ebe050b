"""A vote with weights 1, 0 and -1, given by how rows stand among the others.

Symbols: Y_i the signs of row i, w_i its weight, n rows of N coordinates; standings as in
`strategies.core.agreement`.
"""

from __future__ import annotations

from itertools import chain
from types import ModuleType

import torch
from torch import Tensor

from signfed.strategies.ops.devices import on_signs
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.upload import uploaded

SIGMAS = 4.0  # of a coin's agreement: 1/sqrt(N)
LEAST = 0.1  # of the median standing, below which workers have too little in common to be judged
Span = tuple[int, int]  # votes for +1: at least so many, and fewer than so many


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
    The last two rows oppose rows 0 to 4 where these agree, and are right where they do not:

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
    spans = _narrow(n, k)
    majority = (n + 1) // 2
    numbers = sorted({majority, majority + 1, *chain.from_iterable(spans)})
    at_least = dict(zip(numbers, accepted.at_least_each(*numbers), strict=True))  # votes for +1
    right = doubtful.differs(at_least[majority])  # as they are read
    tests = [torch.ones(k, dtype=torch.bool, device=right.bits.device)]
    for fewest, more in spans:
        close = at_least[fewest].but(at_least[more])
        if n % 2 == 0:
            close = close.but(at_least[majority].but(at_least[majority + 1]))  # without ties
        tests.append(5 * right.among(close).ones() >= 2 * close.ones())
    useful = torch.stack(tests).all(dim=0).cpu()
    weights = weights.clone()
    weights[weights < 0] = torch.where(useful, -1.0, 0.0)
    return weights


def _narrow(n: int, k: int) -> list[Span]:
    """The votes of n rows that k others can turn: of the narrowest, of those with |V| <= k / 2, and
    of all of them."""
    narrowest = 2 - n % 2
    margins = sorted({m for m in (narrowest, k // 2, k) if narrowest <= m <= k})
    return [((n - margin + 1) // 2, (n + margin) // 2 + 1) for margin in margins]


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


def silenced_vote(signs: PackedSigns, weights: Tensor) -> tuple[PackedSigns, Tensor]:
    """Vote with the weights that `silence_useless` leaves, more than half of them 1.

    On a GPU nobody waits for these weights: what they are is found and used there.

    Parameters
    ----------
    signs : PackedSigns, n rows
    weights : Tensor, float32 [n]
        1, 0, -1, on the CPU.

    Returns
    -------
    PackedSigns
        As `ternary_vote`.
    Tensor [n]
        The weights it was made with, where they are.

    Examples
    --------
    >>> rows = PackedSigns.pack(torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]))
    >>> vote, weights = silenced_vote(rows, torch.tensor([1.0, 1.0, -1.0]))
    >>> vote.dense().tolist(), weights.tolist()
    ([1.0, -1.0], [1.0, 1.0, -1.0])
    """
    if signs.bits.device.type == "cpu" or not (weights < 0).any():
        weights = silence_useless(signs, weights)
        return ternary_vote(signs, weights), weights
    return silenced_there(signs, weights, on_signs(signs.bits.device))


def silenced_there(
    signs: PackedSigns, weights: Tensor, operations: ModuleType
) -> tuple[PackedSigns, Tensor]:
    """Return the same, made where the rows are, for weights of which some are -1.

    Parameters
    ----------
    signs, weights
        As for `silenced_vote`.
    operations : module
        On packed signs.
    """
    k, n = int((weights < 0).sum()), int((weights > 0).sum())
    there = uploaded(weights.to(torch.int32), signs.bits.device)
    counts = operations.right_where_narrow(signs.bits, there, n, _narrow(n, k))
    useful = (5 * counts[:, :-1] >= 2 * counts[:, -1:]).all(dim=0)
    there = torch.where(useful, there, there.clamp(min=0))
    voted = operations.weighed(signs.bits, there, signs.n_coordinates)
    return PackedSigns(voted, signs.n_coordinates), there
