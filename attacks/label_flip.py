"""Label flip."""

import numpy as np

from signfed.attacks.core.view import View, attack


@attack(knowledge="own", stage="data")
def label_flip(view: View) -> np.ndarray:
    """Train on flipped labels: l becomes C - 1 - l, for C classes.

    view.own: int64 [b, n], labels 0..C-1; so is what is returned.
    Raises ValueError when they are no whole numbers.
    Reference: Xu et al. 2022 (SignGuard), section V, "Label-Flipping".
    Deviation from the paper: none.
    """
    if view.own.dtype.kind not in "iu":
        raise ValueError(f"label-flip: expected labels, whole numbers, got {view.own.dtype}")
    return view.n_classes - 1 - view.own
