"""Votes spent where the edge is weakest, as far as colluders can tell."""

from statistics import NormalDist
from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import TINY, all_send, deviation, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range


def certainties(rows: np.ndarray) -> np.ndarray:
    """Return |mean| / deviation of each coordinate, float64 [N]: how sure the rows are of a sign.

    One row has no deviation; then that of every coordinate is taken to be the row's root mean
    square. Where rows agree to the last bit, as in a 0 of a dead unit, certainty is infinite.

    Parameters
    ----------
    rows : ndarray, float32 [b, N]
        Finite.

    Examples
    --------
    >>> certainties(np.array([[1.0, 2.0, 0.0], [3.0, -2.0, 0.0]])).round(3)
    array([1.414, 0.   ,   inf])
    """
    mu = mean(rows)
    scale = deviation(rows, mu)
    xp = namespace(mu)
    if len(rows) == 1:
        scale[:] = xp.sqrt(xp.square(mu).mean())
    certain = xp.where(scale > 0.0, scale, 1.0)
    return xp.where(scale > 0.0, xp.abs(mu) / certain, np.inf)


def weakest_certainty(votes: float, n_honest: int) -> float:
    """Return the certainty below which `votes` votes turn h honest ones: h (2 Phi(z) - 1) = votes.

    An honest worker's entry is taken to be normal, so its sign is right with probability Phi(z),
    and the honest margin is h (2 Phi(z) - 1) votes on average.

    Parameters
    ----------
    votes : float
        How many they turn.
    n_honest : int
        h.

    Examples
    --------
    >>> round(weakest_certainty(6, 9), 3), weakest_certainty(9, 9), weakest_certainty(0, 9)
    (0.967, inf, 0.0)
    """
    if votes >= n_honest:
        return float("inf")
    return NormalDist().inv_cdf((1.0 + votes / n_honest) / 2.0)


@attack(knowledge="colluders", stage="gradient", tensors=True)
def vem(
    view: View,
    *,
    reach: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False, description="votes counted on, for each that there is"),
        Range(0.25, 4.0, log=True),
    ] = 1.0,
) -> np.ndarray:
    """Vote against the estimated sign where b votes turn it, and like the honest elsewhere.

    m and s are mean and standard deviation of the Byzantine workers' own finite gradients. The
    honest margin of a coordinate is estimated as (n - b) (2 Phi(|m|/s) - 1). Where it is below
    `reach` b all send -m, elsewhere m: votes that could not turn the sign earn the look of a
    reliable worker instead.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N]; `n_total`.
    reach : float, >= 0
        0 attacks nothing; from b `reach` = n - b on everything is attacked.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all. Where m is 0 it holds the smallest normal float32 in its place, whose
        sign, +1 as that of 0, can be turned.

    Examples
    --------
    Of two rows' means 2, 0 and -3, the last is certain enough to be left alone:

    >>> from signfed import craft
    >>> own = [[1.0, 2.0, -3.0], [3.0, -2.0, -3.1]]
    >>> craft("vem", own, n_total=5, seed=0, reach=1.4).round(2)[0]
    array([-2.  , -0.  , -3.05], dtype=float32)

    References
    ----------
    Gong et al. 2025 (arXiv 2503.08976), Vulnerable Edge Manipulation, for the idea.

    Notes
    -----
    Deviation from the paper: all but the idea is ours. There, clients vote by rankings of edges,
    bounds of the vote say which edges can be turned, and the rankings come from an optimisation;
    here a vote is a sign, and a normal model of the own rows says which can be turned. With the
    honest rows at hand it is `vote-aware`.
    """
    n_byzantine = len(view.own)
    rows = finite(view.own)
    xp = namespace(rows)
    mu = cast(mean(rows), xp.float32)
    mu = xp.where(mu == 0.0, TINY, mu)
    limit = weakest_certainty(reach * n_byzantine, view.n_total - n_byzantine)
    weak = (certainties(rows) < limit) | (limit == np.inf)
    return all_send(xp.where(weak, -mu, mu), n_byzantine)
