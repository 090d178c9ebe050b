"""What clients say of themselves: metrics, which decide nothing, and numbers of examples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from flwr.app import MetricRecord

Metrics = Mapping[str, float | Sequence[float]]
MAX_METRICS = 1_000  # names that one reply may hold


def medians(claims: Sequence[Metrics], without: str = "") -> dict[str, float | list[float]]:
    """Return the median of each metric over those that report it.

    A metric counts when more than half of all report it, with as many values each, so that no
    minority names what everybody reads. Values that are not finite are left out.

    Parameters
    ----------
    claims : sequence of mapping
        Name -> number, or a list of numbers; one mapping a worker.
    without : str
        A name that is no metric: that of the number of examples.

    Examples
    --------
    >>> medians([{"loss": 1.0}, {"loss": 3.0, "mine": 7.0}, {"loss": float("nan")}])
    {'loss': 2.0}
    >>> medians([{"by-class": [0.5, 1.0]}, {"by-class": [0.7, 0.0]}])
    {'by-class': [0.6, 0.5]}
    """
    forms = Counter((name, _length(value)) for each in claims for name, value in each.items())
    found: dict[str, float | list[float]] = {}
    for (name, length), count in sorted(forms.items(), key=lambda item: item[0][0]):
        if 2 * count <= len(claims) or name == without:
            continue
        same = [each[name] for each in claims if name in each and _length(each[name]) == length]
        columns = np.array([_finite(value) for value in same], np.float64).reshape(count, -1)
        middle = [_median(column) for column in columns.T]
        found[name] = middle[0] if length is None else middle
    return found


def weights(claimed: Sequence[float], cap: float) -> np.ndarray:
    """Turn claimed numbers of examples into factors of the rows, whose mean is 1.

    w_i = min(n_i, cap median(n)) / mean of the same over all i

    Parameters
    ----------
    claimed : sequence of float
        n_i, finite and above 0.
    cap : float, >= 1

    Returns
    -------
    ndarray, float32 [n]

    Examples
    --------
    >>> weights([10, 10, 1e9], cap=2.0).tolist()
    [0.75, 0.75, 1.5]
    """
    numbers = np.asarray(claimed, np.float64)
    with np.errstate(over="ignore"):
        kept = np.minimum(numbers, cap * np.median(numbers))
    kept = kept / kept.max()  # a sum of huge claims must not overflow
    return (kept / kept.mean()).astype(np.float32)


def is_count(value: object) -> bool:
    """Tell whether a claim can be a number of examples: finite, above 0."""
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def as_record(found: Mapping[str, float | Iterable[float]]) -> MetricRecord:
    """Make Flower's record of metrics."""
    return MetricRecord({n: v if isinstance(v, float) else [*v] for n, v in found.items()})


def _length(value: float | Sequence[float]) -> int | None:
    return None if isinstance(value, int | float) else len(value)


def _finite(value: float | Sequence[float]) -> list[float]:
    values = [value] if isinstance(value, int | float) else value
    return [float(v) if abs(v) <= np.finfo(np.float64).max else math.nan for v in values]


def _median(column: np.ndarray) -> float:
    kept = column[np.isfinite(column)]
    return float(np.median(kept)) if len(kept) else math.nan
