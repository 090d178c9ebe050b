"""PoisonedFL: one secret direction in all rounds, as far as the server can be made to follow."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, like, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.past import Past
from signfed.attacks.core.rows import TINY, all_send
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice, Range

STREAM = 0x9F  # keeps the secret apart from other draws of the number
Z99 = 2.326348  # Phi^-1(0.99)
SHRINK, SMALLEST = 0.7, 0.5


def secret_signs(secret: int, n_coordinates: int) -> np.ndarray:
    """Return the sign vector that the Byzantine workers of a run share, float32 [N].

    Parameters
    ----------
    secret : int
        The number that they share.
    n_coordinates : int
        N.
    """
    bits = np.random.default_rng([secret, STREAM]).integers(2, size=n_coordinates, dtype=np.int8)
    return np.where(bits, np.float32(1.0), np.float32(-1.0))


def unit_magnitudes(direction: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return k = v / |v| with v = |d - |d| r/|r||, float64 [N]: where others moved the model.

    r is the row that the Byzantine workers sent last, so v is what of the direction is not theirs.

    Parameters
    ----------
    direction : ndarray, float64 [N]
        d, of the server's last step.
    last : ndarray, float64 [N]
        r.

    Examples
    --------
    >>> unit_magnitudes(np.array([3.0, 4.0]), np.array([0.0, 2.0]))
    array([0.9486833 , 0.31622777])
    """
    xp = namespace(direction)
    length = xp.linalg.norm(direction)
    v = xp.abs(direction - last * (length / xp.maximum(xp.linalg.norm(last), 1e-9)))
    return v / xp.maximum(xp.linalg.norm(v), 1e-9)


def follows(moved: np.ndarray, wanted: np.ndarray) -> bool:
    """Return whether a movement has the wanted signs more often than chance would: 99 %.

    Coordinates that did not move are left out. Of n others, n/2 + 2.33 sqrt(n)/2 have to agree: the
    99 % quantile of Binomial(n, 1/2), rounded from the normal distribution.

    Parameters
    ----------
    moved, wanted : ndarray [N]
        The movement; the signs, +1 or -1.

    Examples
    --------
    >>> wanted = np.ones(100)
    >>> [follows(np.repeat([1.0, -1.0], [k, 100 - k]), wanted) for k in (61, 62)]
    [False, True]
    """
    n, agreed = int((moved != 0).sum()), int((moved * wanted > 0).sum())
    return bool(agreed >= round(n / 2 + Z99 * n**0.5 / 2))


def adjusted(past: Past, wanted: np.ndarray, server_round: int, period: int, first: float) -> float:
    """Return this round's factor; keep it, and what the model moved by since the last check.

    Parameters
    ----------
    past : Past
        Its memory is written to.
    wanted : ndarray [N]
        The signs along which the model is to move.
    server_round : int
        Number of the round.
    period : int
        Rounds from one check to the next.
    first : float
        The factor of the first round.
    """
    memory = past.memory
    factor = float(memory.get("factor", np.array(first)))
    moved = like(memory.get("moved", np.float32(0.0)), past.direction) - past.direction
    if server_round % period == 0:
        if not follows(moved, wanted) and SHRINK * factor >= SMALLEST:
            factor *= SHRINK
        moved = namespace(moved).zeros_like(moved)
    memory["factor"], memory["moved"] = np.array(factor), moved
    return factor


@attack(knowledge="own", stage="gradient", past=True, tensors=True)
def poisoned_fl(
    view: View,
    *,
    factor: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="c, lengths of the server's last direction"),
        Range(0.5, 100.0, log=True),
    ] = 8.0,
    period: Annotated[
        int,
        Field(ge=1, description="rounds between two checks whether the model follows"),
        Choice((50,)),
    ] = 50,
) -> np.ndarray:
    """Push every coordinate in one secret direction, the same in all rounds: -c |d| k s.

    s is a sign vector that the Byzantine workers share, d what the server's last step went along,
    and k >= 0 the unit vector of what of |d| did not come from them. As the model descends, it
    moves along s. c is adjusted by what the model did: every `period` rounds, when its movement
    since the last check agrees with s no more often than chance would, c becomes 0.7 c, though not
    below 0.5. Other workers' rows are not needed.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N], sent as it is as long as nothing has moved; `past`; `server_round`.
    factor : float, > 0
        c at first.
    period : int, >= 1
        Rounds between two checks.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all, but for the first round. Where a magnitude is 0 it holds the smallest
        normal float32, so that on a sign channel the row is -s.

    Examples
    --------
    >>> from signfed import craft
    >>> from signfed.attacks import Past
    >>> past = Past(np.zeros(4, np.float32), np.array([3.0, 4.0, 0.0, 0.0], np.float32))
    >>> past.memory["last"] = np.array([0.0, 2.0, 0.0, 0.0], np.float32)
    >>> craft("poisoned-fl", np.ones((1, 4)), n_total=3, seed=0, past=past, factor=1.0).round(2)
    array([[-4.74, -1.58, -0.  , -0.  ]], dtype=float32)

    References
    ----------
    Xie et al. 2025 (arXiv 2404.15611), and the authors' code for the constants 0.7, 0.5, 50 and
    99 %.

    Notes
    -----
    Deviation from the paper: d is in units of gradients, not of models (both scale alike).
    Coordinates that did not move are left out of the test; the authors' code counts their weight's
    sign instead. Byzantine workers send their honest row in the first round, when nothing has
    moved yet, and have data of their own, which is not used.
    """
    past = view.past
    xp = namespace(view.own)
    wanted = like(secret_signs(past.secret, view.own.shape[1]), view.own)
    c = adjusted(past, wanted, view.server_round, period, factor)
    direction = cast(past.direction, xp.float64)  # of a model that diverges, squares overflow
    length = xp.linalg.norm(direction)
    usable = (length > 0.0) & (length < np.inf)
    last = like(past.memory.get("last", np.zeros(view.own.shape[1], np.float32)), view.own)
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 it is sent as infinity
        magnitudes = c * length * unit_magnitudes(direction, cast(last, xp.float64))
        sent = all_send(-wanted * xp.maximum(magnitudes, TINY), len(view.own))
    rows = xp.where(usable, sent, view.own)
    past.memory["last"] = xp.copy(xp.where(usable, rows[0], last))
    return rows
