"""Centered clipping: small steps from the last round's answer."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import combine, norms
from signfed.strategies.server.strategy import RobustStrategy

LARGEST = torch.finfo(torch.float32).max


def clipped_step(rows: Tensor, centre: Tensor, radius: float) -> Tensor:
    """Move the centre towards the rows, each of which pulls by at most `radius`/n.

    v + (1/n) sum_m (g_m - v) min(1, tau / ||g_m - v||)

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    centre : Tensor, float32 [N]
        v.
    radius : float, above 0
        tau; infinity gives the mean.

    Returns
    -------
    Tensor, float32 [N]

    Examples
    --------
    >>> clipped_step(torch.tensor([[1.0], [9.0]]), torch.zeros(1), 3.0)
    tensor([2.])
    """
    # Infinite offsets are made finite, since 0 times infinity would be NaN. So is the answer: it is
    # the centre of all rounds to come, none of which would be of use. Norms are float64, in which
    # those of finite float32 are finite, so that no infinity is divided by another.
    offsets = (rows - centre).clamp_(-LARGEST, LARGEST)
    factors = (radius / norms(offsets)).clamp(max=1.0)
    return (centre + combine(offsets, factors / len(rows))).clamp_(-LARGEST, LARGEST)


class CenteredClipping(RobustStrategy):
    """Average the rows, each clipped to a ball around the last round's answer.

    v_0 = the last round's answer, v_{l+1} = `clipped_step`(v_l), and v_L is the answer. No row
    moves v by more than tau/n in an iteration, so the answer is bounded for any number of Byzantine
    workers. It is useful with a tau of about the distance between honest rows.

    Parameters
    ----------
    radius : float
        tau, above 0.
    iterations : int
        L, at least 1.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0], [2.0], [3.0], [900.0]]
    >>> aggregate("centered-clipping", rows, radius=4.0, iterations=1)
    array([2.5], dtype=float32)

    Notes
    -----
    Precondition: none. State: v, which is 0 before round 1.

    Deviation: none; the paper sets no tau, and 10 with 3 iterations is the authors' code's.

    References
    ----------
    Karimireddy et al. 2021, Algorithm 2, equation (CC).
    """

    encoder = "float32"

    def __init__(
        self,
        radius: Annotated[
            float, Field(gt=0, description="tau, how far a row may pull; inf: the mean")
        ] = 10.0,
        iterations: Annotated[int, Field(ge=1, description="clipped steps a round")] = 3,
    ) -> None:
        self.radius = radius
        self.iterations = iterations
        self._centre: Tensor | None = None

    def aggregate(self, updates: Updates) -> Tensor:
        """Return v_L, float32 [N], and remember it."""
        rows = updates.dense()
        centre = torch.zeros_like(rows[0]) if self._centre is None else self._centre.to(rows)
        for _ in range(self.iterations):
            centre = clipped_step(rows, centre, self.radius)
        self._centre = centre
        return centre

    def state_dict(self) -> dict[str, Tensor]:
        """Return `center`: v, float32 [N]; nothing before round 1."""
        return {} if self._centre is None else {"center": self._centre.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self._centre = state["center"].clone() if "center" in state else None
