"""Inner product manipulation (IPM)."""

import numpy as np

from attacks.base import View, attack
from attacks.checks import positive
from attacks.rows import all_send, finite, mean


@attack(knowledge="omniscient", stage="gradient")
def ipm(view: View, *, epsilon: float = 0.1) -> np.ndarray:
    """All send -epsilon mu, mu the mean of the honest rows, those with NaN or inf left out.

    The mean of all n rows is ((n - m) - m epsilon) / n * mu: it turns above epsilon = (n - m) / m.
    On a sign channel any epsilon is the flip of the mean's signs. Without honest rows: 0.

    epsilon: > 0 and finite. A small one hides among the honest, one above (n - m) / m turns a mean.
    Raises ValueError when it is out of its range.
    Reference: Xie et al. 2020 (Fall of Empires), section 4; epsilon as in Karimireddy et al. 2022.
    Deviation from the paper: none.
    """
    positive("epsilon", epsilon)
    return all_send(-epsilon * mean(finite(view.honest)), len(view.own))
