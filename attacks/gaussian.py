"""Gaussian Byzantine."""

import numpy as np

from attacks.base import View, attack


@attack(knowledge="own", stage="gradient")
def gaussian(view: View, *, std: float = 1.0) -> np.ndarray:
    """Replace the gradient by noise, N(0, std^2 I), independent per attacker.

    On a sign channel this is a fair coin per coordinate (a stochastic sign flip with r = 1/2 of
    anything); on a float channel its length, std * sqrt(N), drowns a mean.

    std: standard deviation, > 0.
    Raises ValueError when std is not positive.
    Reference: Park & Lee 2024 (signSGD-FD), section 5 and the authors' setting std = 1;
    Blanchard et al. 2017.
    Deviation from the paper: none.
    """
    if not std > 0.0:
        raise ValueError(f"expected a standard deviation above 0, got {std}")
    noise = [g.standard_normal(view.own.shape[1], dtype=np.float32) for g in view.generators]
    return np.float32(std) * np.stack(noise)
