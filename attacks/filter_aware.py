"""Byzantine workers who know SignGuard's filters."""

import numpy as np

from signfed.attacks.core.arrays import cast, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import Share, all_send, finite, mean, places_of_lowest
from signfed.attacks.core.view import View


@attack(knowledge="omniscient", stage="gradient", tensors=True)
def filter_aware(view: View, *, share: Share = 1.0) -> np.ndarray:
    """Send an honest row with its entries rearranged against the honest mean.

    The row is the one with the median norm (of an even number, the lower middle). Its smallest
    entry goes where the mean mu is largest, the second smallest where mu is second largest, and so
    on: of all permutations, the one with the smallest inner product with mu (rearrangement
    inequality). Norm and shares of positive, zero and negative entries are those of an honest row,
    so neither a band of norms nor statistics of signs over all coordinates see a difference.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N], of which finite rows count. Without any, each sends its own.
    share : float in [0, 1]
        Only the floor(share N) coordinates with the largest |mu| are rearranged, among themselves.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> honest = [[3.0, -1.0, 2.0], [5.0, 5.0, 5.0], [0.1, 0.0, 0.0]]
    >>> craft("filter-aware", [[9.0, 9.0, 9.0]], honest, n_total=4, seed=0)
    array([[-1.,  3.,  2.]], dtype=float32)

    References
    ----------
    None; it aims at Xu et al. 2022 (SignGuard), Algorithm 2.

    Notes
    -----
    Deviation from the paper: does not apply.
    """
    rows = finite(view.honest)
    if not len(rows):
        return namespace(view.own).copy(view.own)
    xp, mu, middle = namespace(rows), mean(rows), (len(rows) - 1) // 2
    doubled = (cast(row, xp.float64) for row in rows)
    order = xp.argsort(xp.stack([(row * row).sum() for row in doubled]), kind="stable")
    crafted = xp.copy(xp.take(rows, order[middle : middle + 1], axis=0)[0])
    moved = xp.sort(places_of_lowest(-xp.abs(mu), share))
    crafted[moved[xp.argsort(-mu[moved], kind="stable")]] = xp.sort(crafted[moved])
    return all_send(crafted, len(view.own))
