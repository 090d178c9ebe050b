"""What an attack on the data changes: a worker's batch; and the trigger of a backdoor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Batch:
    """What a worker computes its gradient on in one round.

    Attributes
    ----------
    labels : ndarray, int64 [..., n]
        Classes, from 0.
    images : ndarray, float32 [..., n, C, H, W], or None
        From 0 (black) to 1 (white), as they are after augmentation; None where samples are no
        images. An attack that returns None leaves them as they are.
    boost : float
        What the worker multiplies its gradient by.
    """

    labels: np.ndarray
    images: np.ndarray | None = None
    boost: float = 1.0


@dataclass(frozen=True, eq=False)
class Trigger:
    """What a backdoor is to be recognised by, and what is then to be seen.

    Attributes
    ----------
    target : int
        The class.
    stamp : callable
        Images float32 [..., C, H, W] -> copies with the trigger. Raises ValueError where it does
        not fit.
    """

    target: int
    stamp: Callable[[np.ndarray], np.ndarray]
