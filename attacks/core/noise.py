"""Gaussian noise, drawn by each Byzantine worker from its own generator."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import like
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range

Std = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False, description="standard deviation"),
    Range(1e-3, 1e3, log=True),
]


def normal_rows(view: View, std: float) -> np.ndarray:
    """Draw N(0, std^2 I) for each Byzantine worker.

    Parameters
    ----------
    view : View
        Its `own` gives the shape, its `generators` the draws.
    std : float
        Standard deviation.

    Returns
    -------
    ndarray, float32 [b, N]
    """
    rows = np.empty(view.own.shape, dtype=np.float32)
    for row, generator in zip(rows, view.generators, strict=True):
        generator.standard_normal(dtype=np.float32, out=row)
    return like(np.float32(std) * rows, view.own)
