"""Little is enough, with the factor that the rule in use withstands least."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.attack import attack
from signfed.attacks.core.line_search import Evaluations, FirstStep, farthest
from signfed.attacks.core.rows import deviation, finite, mean
from signfed.attacks.core.view import View
from signfed.attacks.lie import DIRECTIONS


@attack(knowledge="omniscient", stage="gradient", rule=True, tensors=True)
def opt_alie(
    view: View,
    *,
    direction: Annotated[
        Literal["plus", "minus"], Field(description="which way from the mean")
    ] = "plus",
    evaluations: Evaluations = 20,
    step: FirstStep = 10.0,
) -> np.ndarray:
    """Send mu + z s, with the z that brings the aggregate farthest from mu.

    mu and s are mean and standard deviation (n - 1 in the denominator) of each coordinate over the
    finite honest rows. z maximises ||R(honest rows, b rows mu + z s) - mu||, where R is the
    server's rule as it stands: a search upwards from z = 0 (`attacks.core.line_search`).

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]; `aggregate`: what the rule would make of the rows sent.
    direction : {"plus", "minus"}
        "minus" sends mu - z s.
    evaluations : int, >= 1
        How often the rule is asked in a round; each costs one aggregation.
    step : float, > 0
        First step of the search.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    The mean of the middle two of 1, 2, 3 and mu + z s = 2 + z is 2.5 from z = 1 on: the first step
    is as good as any.

    >>> import numpy as np
    >>> from signfed import craft
    >>> honest = [[1.0], [2.0], [3.0]]
    >>> middle = lambda rows: np.sort(rows, axis=0)[1:3].mean(axis=0)
    >>> craft("opt-alie", [[9.0]], honest, n_total=4, seed=0, rule=middle)
    array([[12.]], dtype=float32)

    References
    ----------
    ByzFL 0.0.11, Opt-ALIE (its documentation and its benchmark), after Baruch et al. 2019.

    Notes
    -----
    Deviation: none; "minus" is ours. Coordinates in which honest rows agree are left alone.
    """
    rows = finite(view.honest)
    mu = mean(rows)
    p = DIRECTIONS[direction] * deviation(rows, mu)
    return farthest(view, lambda z: mu + z * p, mu, evaluations, step)
