"""Inner product manipulation, with the length that the rule in use withstands least."""

import numpy as np

from signfed.attacks.core.attack import attack
from signfed.attacks.core.line_search import Evaluations, FirstStep, farthest
from signfed.attacks.core.rows import finite, mean
from signfed.attacks.core.view import View


@attack(knowledge="omniscient", stage="gradient", rule=True, tensors=True)
def opt_ipm(view: View, *, evaluations: Evaluations = 20, step: FirstStep = 10.0) -> np.ndarray:
    """Send -epsilon mu, with the epsilon that brings the aggregate farthest from mu.

    mu is the mean of the finite honest rows. epsilon >= 0 maximises
    ||R(honest rows, b rows -epsilon mu) - mu||, where R is the server's rule as it stands: a search
    upwards from 0 (`attacks.core.line_search`).

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]; `aggregate`: what the rule would make of the rows sent.
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
    mu is 2, and a rule that drops rows longer than 6 lets -3 mu pass; the search comes near it:

    >>> import numpy as np
    >>> from signfed import craft
    >>> honest = [[1.0], [3.0]]
    >>> short = lambda rows: rows[np.abs(rows[:, 0]) <= 6].mean(axis=0)
    >>> craft("opt-ipm", [[9.0]], honest, n_total=3, seed=0, rule=short).round(4)
    array([[-5.9466]], dtype=float32)

    References
    ----------
    ByzFL 0.0.11, Opt-IPM (its documentation and its benchmark), after Xie et al. 2020.

    Notes
    -----
    Deviation: none. On a sign channel every epsilon above 0 is the flip of the mean's signs.
    """
    mu = mean(finite(view.honest))
    return farthest(view, lambda epsilon: -epsilon * mu, mu, evaluations, step)
