"""Hybrid sparse: hard on the weights that a network can least do without, slow on all others."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import like, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, deviation, finite, lowest, mean
from signfed.attacks.core.view import View
from signfed.attacks.lie import largest_z
from signfed.strategies.core.options import Choice, Range


def sensitive(model: np.ndarray, gradient: np.ndarray, share: float) -> np.ndarray:
    """Return which floor(share N) weights pruning would keep: the largest |x g|, bool [N].

    By |x g| the loss changes, to first order, when a weight is set to 0.

    Parameters
    ----------
    model, gradient : ndarray [N]
        x and g.
    share : float in [0, 1]

    Examples
    --------
    >>> sensitive(np.array([1.0, -3.0, 0.0]), np.array([2.0, 1.0, 9.0]), 0.34)
    array([False,  True, False])
    """
    return lowest(-namespace(model).abs(model * gradient), share)


@attack(knowledge="omniscient", stage="gradient", past=True, tensors=True)
def hybrid_sparse(
    view: View,
    *,
    share: Annotated[
        float,
        Field(ge=0, le=1, description="share of the weights that is attacked hard"),
        Choice((0.005, 0.05)),
    ] = 0.005,
    scale: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False, description="deviations from the honest mean there"),
        Range(1.5, 150.0, log=True),
    ] = 1.5,
    z: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False, description="deviations elsewhere"),
        Choice((0.3, 1.0)),
    ] = 0.3,
    z_max: Annotated[
        bool, Field(description="take the z of lie.z-max elsewhere"), Choice((False,))
    ] = False,
) -> np.ndarray:
    """Send mu - scale s on the most sensitive weights, and mu - z s on all others.

    mu and s are mean and standard deviation of each coordinate over the finite honest rows. The
    weights are chosen in the worker's first round, by |x mu| (`sensitive`), and kept. A few
    coordinates far away are little in the norm and in counts of signs; many that are moved by
    little add up over rounds.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]; `past`; `n_total` for `z_max`.
    share : float in [0, 1]
        floor(share N) weights are attacked hard.
    scale, z : float, >= 0
        How many deviations.
    z_max : bool
        Whether to take z from `signfed.attacks.lie.largest_z` instead.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> from signfed.attacks import Past
    >>> past = Past.first(np.array([1.0, 2.0], np.float32))
    >>> honest = [[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]]
    >>> craft("hybrid-sparse", [[9.0, 9.0]], honest, n_total=4, seed=0, past=past, share=0.5)
    array([[ 2.4, -1. ]], dtype=float32)

    References
    ----------
    Ozfatura et al. 2026 (arXiv 2404.06230v2); the authors' public code for 0.005 and 1.5.

    Notes
    -----
    Deviation from the paper: the sensitive weights are those of one pruning step over the whole
    vector; there they come from many steps (FORCE), layer by layer, and an attack does not know
    layers. z is an option; there it is `z_max`'s, or as far as Min-Sum allows.
    """
    n_byzantine = len(view.own)
    rows = finite(view.honest)
    mu = mean(rows)
    memory = view.past.memory
    if "mask" not in memory:
        memory["mask"] = sensitive(view.past.model, mu, share)
    elsewhere = largest_z(view.n_total, n_byzantine) if z_max else z
    mask = like(memory["mask"], mu)
    far = namespace(mu).where(mask, scale, elsewhere)
    return all_send(mu - far * deviation(rows, mu), n_byzantine)
