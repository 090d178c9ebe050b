"""How far an attack goes when it may ask the rule: the factor that does the most harm."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.rows import all_send
from signfed.attacks.core.view import View

RATIO = 0.8  # what a step is multiplied by once steps get smaller

Evaluations = Annotated[int, Field(ge=1, description="times that the rule is asked in a round")]
FirstStep = Annotated[
    float, Field(gt=0, allow_inf_nan=False, description="first step of the search for the factor")
]


def line_search(harm: Callable[[float], float], evaluations: int, step: float) -> float:
    """Return the best x >= 0 that a search upwards from 0 finds for `harm`.

    It proposes best + step. As long as each proposal is better than the best, steps double; from
    the first that is not on, each step is 0.8 of the one before it.

    Parameters
    ----------
    harm : callable
        x -> what is to be as large as possible. NaN is never better.
    evaluations : int, >= 1
        Calls of `harm`, the one at 0 included.
    step : float, > 0
        The first step.

    References
    ----------
    ByzFL 0.0.11, the search of its Opt-ALIE and Opt-IPM.

    Examples
    --------
    From 0 it goes to 1, and not to 3; 1 + 1.6 is better again, 2.6 + 1.28 and 2.6 + 1.024 are not:

    >>> line_search(lambda x: -abs(x - 2), 6, 1.0)
    2.6
    """
    best, most = 0.0, harm(0.0)
    doubling = True
    for _ in range(evaluations - 1):
        proposed = best + step
        found = harm(proposed)
        better = found > most
        if better:
            best, most = proposed, found
        doubling = doubling and better
        step *= 2.0 if doubling else RATIO
    return best


def farthest(
    view: View,
    row: Callable[[float], np.ndarray],
    mu: np.ndarray,
    evaluations: int,
    step: float,
) -> np.ndarray:
    """Return the row whose aggregate is farthest from the honest mean.

    Parameters
    ----------
    view : View
        `aggregate` is asked, with the same row for all Byzantine workers.
    row : callable
        x >= 0 -> a row, float64 [N].
    mu : ndarray, float64 [N]
        The mean of the honest rows.
    evaluations, step
        As for `line_search`.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Notes
    -----
    An aggregate that is not finite does no harm: the server skips the round.
    """
    n_byzantine = len(view.own)

    def harm(x: float) -> float:
        with np.errstate(over="ignore"):
            aggregate = view.aggregate(all_send(row(x), n_byzantine))
            distance = float(namespace(mu).linalg.norm(aggregate - mu))
        return distance if np.isfinite(distance) else -np.inf

    return all_send(row(line_search(harm, evaluations, step)), n_byzantine)
