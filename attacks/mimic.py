"""Mimic."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import all_send, centred, finite, mean
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Choice


def most_extreme(rows: np.ndarray) -> int:
    """Index of the finite row that lies farthest along the rows' top principal direction.

    The first of those within 1e-9 of it: of two rows both do.
    """
    mu = mean(rows)
    gram = sum((block @ block.T for _, block in centred(rows, mu)), np.zeros((len(rows),) * 2))
    # With X = U S V', row i projects to S u_i on the direction v, whose sign means nothing.
    projections = np.abs(np.linalg.eigh(gram)[1][:, -1])
    return int(np.argmax(projections >= projections.max() * (1.0 - 1e-9)))


@attack(knowledge="omniscient", stage="message")
def mimic(
    view: View,
    *,
    target: Annotated[
        int,
        Field(ge=-1, description="which honest worker; -1: the most telling in each round"),
        Choice((0, -1)),
    ] = 0,
) -> np.ndarray:
    """All send what one honest worker sends; its data then count m + 1 times.

    Harmful only where workers' data differ. Without honest rows, each sends its own.

    target: index of the honest row, 0..h-1; -1: in each round the finite row with the largest
        |projection| on the top principal direction of the rows less their mean.
    Raises ValueError for another.
    Reference: Karimireddy et al. 2022 (Byzantine-robust learning by bucketing), section 3.
    Deviation from the paper: there the direction and its most extreme worker are estimated in a
    warm-up and then fixed; here 0 is fixed without a warm-up, and -1 looks at each round alone.
    """
    h = len(view.honest)
    if not h:
        return view.own.copy()
    if not -1 <= target < h:
        raise ValueError(f"target: expected -1 or an index among {h} honest rows, got {target}")
    if target >= 0:
        return all_send(view.honest[target], len(view.own))
    rows = finite(view.honest)
    return all_send(rows[most_extreme(rows)], len(view.own)) if len(rows) else view.own.copy()
