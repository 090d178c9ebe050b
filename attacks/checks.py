"""Options out of their range."""

from collections.abc import Iterable

import numpy as np


def positive(option: str, value: float) -> None:
    """Raise ValueError unless the value is finite and above 0."""
    if not 0.0 < value < np.inf:
        raise ValueError(f"{option}: expected a finite number above 0, got {value}")


def one_of(option: str, value: object, expected: Iterable[object]) -> None:
    """Raise ValueError unless the value is one of those expected."""
    if value not in (known := tuple(expected)):
        raise ValueError(f"{option}: expected one of {', '.join(map(str, known))}, got {value!r}")
