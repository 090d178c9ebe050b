"""Relocated orthogonal perturbation (ROP)."""

from math import cos, radians, sin
from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice, Range


def at_an_angle(reference: np.ndarray, degrees: float) -> np.ndarray:
    """Return the unit vector at an angle to `reference`, in the plane of it and of (1, ..., 1).

    sin(a) o + cos(a) u / |u|, with o the unit vector of 1 - u <1, u> / |u|^2. Where the reference
    is 0 or parallel to (1, ..., 1), the part that does not exist is 0.

    Parameters
    ----------
    reference : ndarray, float64 [N]
        u.
    degrees : float
        a; at 90 it is orthogonal.

    Examples
    --------
    >>> at_an_angle(np.array([2.0, 0.0]), 90.0).round(6)
    array([0., 1.])
    """
    along = _unit(reference)
    across = _unit(1.0 - along * along.sum())
    return sin(radians(degrees)) * across + cos(radians(degrees)) * along


def _unit(vector: np.ndarray) -> np.ndarray:
    xp = namespace(vector)
    length = xp.linalg.norm(vector)
    there = length > 1e-12 * len(vector) ** 0.5
    return xp.where(there, vector / xp.where(there, length, 1.0), 0.0)


@attack(knowledge="omniscient", stage="gradient", past=True, tensors=True)
def rop(
    view: View,
    *,
    size: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False, description="length, in those of the reference"),
        Range(0.1, 10.0, log=True),
    ] = 1.0,
    angle: Annotated[
        float,
        Field(ge=0, le=360, description="to the reference, in degrees"),
        Choice((90.0, 270.0)),
    ] = 270.0,
    relocation: Annotated[
        float,
        Field(ge=0, le=1, description="pi, from the honest mean to the last direction"),
        Choice((1.0,)),
    ] = 1.0,
    reference: Annotated[
        float,
        Field(ge=0, le=1, description="lambda, share of the last direction in the reference"),
        Choice((0.9,)),
    ] = 0.9,
) -> np.ndarray:
    """Send the server's last direction, perturbed at a right angle to it: l + size |u| p.

    v is the last direction and mu the mean of the finite honest rows. l = pi v + (1 - pi) mu is
    where the row starts from, u = lambda v + (1 - lambda) mu the reference, and p the unit vector
    at `angle` to u (`at_an_angle`). In the first round mu takes the place of v.

    It aims at rules that clip rows around the last direction (centered-clipping): the row starts
    from the centre, and what is added is new in all coordinates.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]; `past`.
    size : float, >= 0
        Length of the perturbation, as a multiple of |u|.
    angle : float in [0, 360]
        Degrees between u and p; at 90 every weight is pushed down, at 270 up.
    relocation : float in [0, 1]
        pi.
    reference : float in [0, 1]
        lambda.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all. On a sign channel it is an echo of the last direction where `size` is
        below about 1, and the same sign in all coordinates above.

    Examples
    --------
    The server went along (3, 0); (3, 3) is as long across as it is along:

    >>> from signfed import craft
    >>> from signfed.attacks import Past
    >>> past = Past(np.zeros(2, np.float32), np.array([3.0, 0.0], np.float32))
    >>> craft("rop", [[1.0, 1.0]], [[3.0, 0.0]], n_total=2, seed=0, past=past, angle=90.0)
    array([[3., 3.]], dtype=float32)

    References
    ----------
    Ozfatura et al. 2024 (arXiv 2208.09894), Byzantines can also learn from history; the authors'
    public code for pi, lambda and 270 degrees.

    Notes
    -----
    Deviation from the paper: the length is relative to |u|; there it is the z of LIE, in absolute
    terms, which does nothing or everything as gradients happen to be large or small.
    """
    rows = finite(view.honest)
    mu = mean(rows)
    xp = namespace(mu)
    v = cast(view.past.direction, xp.float64)
    v = xp.where(v.any() & xp.isfinite(v).all(), v, mu)
    start = relocation * v + (1.0 - relocation) * mu
    u = reference * v + (1.0 - reference) * mu
    length = size * xp.linalg.norm(u)
    return all_send(start + length * at_an_angle(u, angle), len(view.own))
