"""Inner product manipulation (IPM)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import all_send, finite, mean
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range


@attack(knowledge="omniscient", stage="gradient")
def ipm(
    view: View,
    *,
    epsilon: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="length of the reversed mean"),
        Range(0.01, 100.0, log=True),
    ] = 0.1,
) -> np.ndarray:
    """All send -epsilon mu, mu the mean of the honest rows, those with NaN or inf left out.

    The mean of all n rows is ((n - m) - m epsilon) / n * mu: it turns above epsilon = (n - m) / m.
    On a sign channel any epsilon is the flip of the mean's signs. Without honest rows: 0.

    epsilon: > 0 and finite. A small one hides among the honest, one above (n - m) / m turns a mean.
    Raises ValueError when it is out of its range.
    Reference: Xie et al. 2020 (Fall of Empires), section 4; epsilon as in Karimireddy et al. 2022.
    Deviation from the paper: none.
    """
    return all_send(-epsilon * mean(finite(view.honest)), len(view.own))
