"""Gaussian Byzantine, and SignGuard's Random and Noise."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range

Std = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False, description="standard deviation"),
    Range(1e-3, 1e3, log=True),
]


@attack(knowledge="own", stage="gradient")
def gaussian(view: View, *, std: Std = 1.0) -> np.ndarray:
    """Replace the gradient by noise, N(0, std^2 I), independent per attacker.

    On a sign channel this is a fair coin per coordinate (a stochastic sign flip with r = 1/2 of
    anything); on a float channel its length, std * sqrt(N), drowns a mean.

    std: standard deviation, > 0 and finite.
    Raises ValueError when it is not.
    Reference: Park & Lee 2024 (signSGD-FD), section 5 and the authors' setting std = 1;
    Blanchard et al. 2017.
    Deviation from the paper: none.
    """
    crafted = np.empty_like(view.own, dtype=np.float32)
    for row, generator in zip(crafted, view.generators, strict=True):
        generator.standard_normal(dtype=np.float32, out=row)
    return np.float32(std) * crafted


@attack(knowledge="own", stage="gradient")
def random(view: View, *, std: Std = 0.5) -> np.ndarray:
    """The Gaussian Byzantine attack at SignGuard's strength: N(0, std^2 I).

    std: standard deviation, > 0 and finite.
    Raises ValueError when it is not.
    Reference: Xu et al. 2022 (SignGuard), section V, "Random Attack".
    Deviation from the paper: none.
    """
    return gaussian(view, std=std)


@attack(knowledge="own", stage="gradient")
def noise(view: View, *, std: Std = 0.5) -> np.ndarray:
    """Add noise to the gradient: g + N(0, std^2 I), independent per attacker.

    std: standard deviation, > 0 and finite.
    Raises ValueError when it is not.
    Reference: Xu et al. 2022 (SignGuard), section V, "Noise Attack".
    Deviation from the paper: none.
    """
    return view.own + gaussian(view, std=std)
