"""Byzantine workers who know that a rule reads clear opponents inverted."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, like, namespace, zeros
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, finite, signs
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range


def _narrowest(margin: np.ndarray, close: np.ndarray, share: float) -> np.ndarray:
    """That share of the close coordinates, the smallest margins first: bool [N]."""
    xp, n = namespace(margin), len(margin)
    count = share * cast(close, xp.float64).mean() * n + 1e-9  # it stays on the device
    order = xp.argsort(xp.where(close, margin, np.inf), kind="stable")
    chosen = zeros(n, margin, xp.bool_)
    chosen[order] = like(np.arange(1, n + 1), margin) <= count
    return chosen


@attack(knowledge="omniscient", stage="message", tensors=True)
def inversion_aware(
    view: View,
    *,
    share: Annotated[
        float,
        Field(ge=0, le=1, description="share of the close coordinates that is attacked"),
        Range(0.1, 1.0),
    ] = 0.55,
) -> np.ndarray:
    """Send a row that does harm when it is read inverted: sign(V) where the vote is close.

    V is the sum of the finite honest rows, and sign(0) = +1. The m Byzantine workers can turn the
    coordinates with |V| <= m. On `share` of them, the smallest |V| first, they send sign(V), on all
    others -sign(V). So they oppose the honest nearly everywhere; a rule that turns them round
    counts m votes against sign(V) where these decide, and m true ones where none was needed.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    share : float in [0, 1]
        1 attacks whatever can turn. About one half is harder to tell from an inverted worker that
        is honest behind its inversion. 0 is `omniscient` on signs.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row of +1/-1 for all.

    Examples
    --------
    Margins 3, 1, -3; one vote, inverted, turns the second:

    >>> from signfed import craft
    >>> honest = [[1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0]]
    >>> craft("inversion-aware", [[1.0, 1.0, 1.0]], honest, n_total=4, seed=0, share=1.0)
    array([[-1.,  1.,  1.]], dtype=float32)

    References
    ----------
    None; ours, against `sign-fd`, which reads opponents inverted (Park & Lee 2024, equation 12).

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    n_byzantine = len(view.own)
    rows = finite(view.honest)
    xp = namespace(rows)
    votes = rows.sum(axis=0, dtype=xp.float64)
    majority, margin = signs(votes), xp.abs(votes)
    close = margin <= n_byzantine
    attacked = _narrowest(margin, close, share)
    return all_send(xp.where(attacked, majority, -majority), n_byzantine)
