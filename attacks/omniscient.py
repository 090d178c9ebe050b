"""Omniscient adversaries (Byzantine fault tolerance of signSGD)."""

import numpy as np

from signfed.attacks.core.rows import all_send, finite, signs
from signfed.attacks.core.view import View, attack


@attack(knowledge="omniscient", stage="message", truth=True)
def omniscient(view: View) -> np.ndarray:
    """All send the opposite of the true gradient's signs: -sign(g), +1 for sign(0).

    On a float channel scaled by the mean |entry| of the finite honest rows, so that the rows are
    as large as honest ones; on a sign channel that is 1, as it is without honest rows.

    Reference: Mengoli et al. 2025 (BFT signSGD-MV), Theorem 3.5: the strongest attack on the vote.
    Deviation from the paper: the scale, where messages are not signs.
    """
    sizes = [np.abs(row).mean(dtype=np.float64) for row in finite(view.honest)]
    scale = np.mean(sizes) if sizes else 1.0
    return all_send(-scale * signs(view.truth), len(view.own))
