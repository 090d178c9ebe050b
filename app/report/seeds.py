"""What a mean over seeds is uncertain by."""

from __future__ import annotations

import math
from collections.abc import Sequence

# One-sided 95 % quantiles of Student's t, by degrees of freedom; beyond these, of the normal law.
T_95 = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812,
    1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725,
)  # fmt: skip
NORMAL_95 = 1.645


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of values that differ by their seed alone, and its error.

    Parameters
    ----------
    values : sequence of float
        At least one.

    Returns
    -------
    mean : float
    error : float
        Half the width of its one-sided 95 % interval: Student's t times the standard error; 0 for
        one seed, of which no error is known, and for a mean that is not finite.

    Examples
    --------
    >>> mean_and_error([0.9, 0.9, 0.9, 0.9]), mean_and_error([0.5])
    ((0.9, 0.0), (0.5, 0.0))
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1 or not math.isfinite(mean):
        return mean, 0.0
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    t = T_95[n - 2] if n - 2 < len(T_95) else NORMAL_95
    return mean, t * math.sqrt(variance / n)
