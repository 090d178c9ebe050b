"""A bloc that earns trust by agreeing, and spends it."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, like, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import TINY, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice, Range


def is_negated(server_round: int, rounds: int, period: int) -> bool:
    """Return whether the bloc has turned: after `rounds`, for good or in blocks of `period`.

    Parameters
    ----------
    server_round : int
        Number of the round, 1, 2, ...
    rounds : int
        Rounds in which the bloc is honest.
    period : int
        Rounds of a block; 0: for good.

    Examples
    --------
    >>> [is_negated(t, 2, 0) for t in range(1, 7)]
    [False, False, True, True, True, True]
    >>> [is_negated(t, 2, 1) for t in range(1, 7)]
    [False, False, True, False, True, False]
    """
    if server_round <= rounds:
        return False
    return not period or (server_round - rounds - 1) // period % 2 == 0


def bloc_rows(
    base: np.ndarray, flip: float, generators: Sequence[np.random.Generator]
) -> np.ndarray:
    """Return a row for each generator: the base, each coordinate negated with probability `flip`.

    Parameters
    ----------
    base : ndarray, float32 [N]
        The row that all agree on.
    flip : float in [0, 1/2)
        q; with 0 all rows are the base.
    generators : sequence of numpy.random.Generator
        One for each row.

    Returns
    -------
    ndarray, float32 [b, N]

    Examples
    --------
    >>> draws = [np.random.default_rng(i) for i in (0, 1)]
    >>> bloc_rows(np.ones(4, np.float32), 0.3, draws)
    array([[ 1., -1., -1., -1.],
           [ 1.,  1., -1.,  1.]], dtype=float32)
    """
    xp, n = namespace(base), len(base)
    rows = xp.tile(base, (len(generators), 1))
    if not flip:  # nothing is drawn where nothing could come of it
        return rows
    flipped = np.stack([generator.random(n) < flip for generator in generators])
    return xp.where(like(flipped, rows), -rows, rows)


@attack(knowledge="colluders", stage="gradient", tensors=True)
def trusted_bloc(
    view: View,
    *,
    rounds: Annotated[
        int,
        Field(ge=0, description="k, in which the bloc agrees before it turns"),
        Range(1, 64, log=True),
    ] = 20,
    flip: Annotated[
        float,
        Field(ge=0, lt=0.5, description="q, of each coordinate, so that the rows differ"),
        Choice((0.0, 0.2)),
    ] = 0.0,
    period: Annotated[
        int,
        Field(ge=0, description="rounds of each turn after k; 0: it turns once, for good"),
        Choice((0, 10)),
    ] = 0,
) -> np.ndarray:
    """Send one and the same honest row for k rounds, then its negation.

    The row is m, the mean of the Byzantine workers' own finite gradients: its signs are right more
    often than those of any one worker. For t <= k each sends m, and -m afterwards; with a period P,
    -m and m in turn, P rounds each. Worker i negates each coordinate of its row with probability q.

    It aims at rules that estimate how reliable a worker is against their own output and weigh
    workers as if they erred independently of one another (signSGD-FD). b equal rows in which
    nothing is wrong decide the output, which then confirms them whatever they send.

    Parameters
    ----------
    view : View
        `own`: float32 [b, N]; `server_round`; `generators`, where q > 0.
    rounds : int, >= 0
        k.
    flip : float in [0, 1/2)
        q.
    period : int, >= 0
        P; 0 for one turn.

    Returns
    -------
    ndarray, float32 [b, N]
        With q = 0 the same row for all. Coordinates where m is 0 hold the smallest normal float32:
        +1 on a sign channel, and -1 when negated.

    Examples
    --------
    >>> from signfed import craft
    >>> own = [[1.0, -2.0, 0.5], [3.0, -1.0, -1.5]]
    >>> craft("trusted-bloc", own, n_total=7, seed=0, server_round=21)
    array([[-2. ,  1.5,  0.5],
           [-2. ,  1.5,  0.5]], dtype=float32)

    References
    ----------
    None; it aims at Park & Lee 2024 (signSGD-FD), eq. 15 to 17.

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    xp = namespace(view.own)
    base = cast(mean(finite(view.own)), xp.float32)
    base = xp.where(base == 0.0, TINY, base)
    if is_negated(view.server_round, rounds, period):
        base = -base
    return bloc_rows(base, flip, view.generators)
