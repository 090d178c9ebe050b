"""Mimic."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import namespace, zeros
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, centred, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice


def most_extreme(rows: np.ndarray) -> int:
    """Return the index of the finite row that lies farthest along the top principal direction.

    Of rows within 1e-9 of the farthest, the first is taken: of two rows both are.

    Parameters
    ----------
    rows : ndarray, float32 [n, N], n >= 1

    Examples
    --------
    >>> most_extreme(np.array([[0.0, 1.0], [0.0, -1.0], [10.0, 0.0], [2.0, 0.0]]))
    2
    """
    xp, mu = namespace(rows), mean(rows)
    gram = sum(
        (block @ block.T for _, block in centred(rows, mu)),
        zeros((len(rows),) * 2, rows, xp.float64),
    )
    # With X = U S V', row i projects to S u_i on the direction v, whose sign means nothing.
    projections = xp.abs(xp.linalg.eigh(gram)[1][:, -1])
    return int(xp.argmax(projections >= projections.max() * (1.0 - 1e-9)))


@attack(knowledge="omniscient", stage="message", tensors=True)
def mimic(
    view: View,
    *,
    target: Annotated[
        int,
        Field(ge=-1, description="which honest worker; -1: the most telling in each round"),
        Choice((0, -1)),
    ] = 0,
) -> np.ndarray:
    """Send what one honest worker sends, so that its data count m + 1 times.

    It harms only where workers' data differ. Without honest rows, each sends its own.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    target : int, -1 or more
        Index of the honest row, counted from the first again after the last: where some workers
        miss a round, that is not always the same worker. -1 takes in each round the finite row
        with the largest |projection| on the top principal direction of the rows less their mean.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> honest = [[0.0, 1.0], [0.0, -1.0], [10.0, 0.0]]
    >>> craft("mimic", [[9.0, 9.0]], honest, n_total=4, seed=0, target=-1)
    array([[10.,  0.]], dtype=float32)

    References
    ----------
    Karimireddy et al. 2022 (Byzantine-robust learning by bucketing), section 3.

    Notes
    -----
    Deviation from the paper: there the direction and its most extreme worker are estimated in a
    warm-up and then fixed; here 0 is fixed without a warm-up, and -1 looks at each round alone.
    """
    rows = view.honest if target >= 0 else finite(view.honest)
    if not len(rows):
        return namespace(view.own).copy(view.own)
    index = most_extreme(rows) if target < 0 else target % len(rows)
    return all_send(rows[index], len(view.own))
