"""Robust learning rate (RLR): a vote that goes backwards where too few workers agree."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from signfed.strategies.core.options import Range
from signfed.strategies.core.preconditions import at_least
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.strategy import RobustStrategy

Margin = Annotated[int, Field(ge=0, description="least margin to follow; 0: f + 1"), Range(1, 6)]


class RobustLR(RobustStrategy):
    """Go backwards along each coordinate on which the workers' signs nearly cancel.

    v_j = eta_j sgn(sum_m Y_mj),    eta_j = +1 if |sum_m Y_mj| >= theta, else -1

    Precondition: n >= 2f + theta: f workers cannot turn what all others agree on; with theta > f,
    the default, they move nothing forward on which the others cancel, such as a backdoor.

    Parameters
    ----------
    n_byzantine, threshold : int
        f and theta; theta = 0 stands for f + 1.

    Notes
    -----
    Where honest workers disagree by chance it goes backwards, too, at a loss. Deviation: the paper
    scales any aggregate by eta, here the vote; a tie, no step there, is +1.

    References
    ----------
    Ozdayi et al. 2021, "Defending against Backdoors in Federated Learning with Robust Learning
    Rate", arXiv 2007.03767: eta_theta, as their published README states it.

    Examples
    --------
    >>> RobustLR(threshold=2)([[1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    array([ 1., -1.], dtype=float32)
    """

    encoder = "sign"

    def __init__(self, n_byzantine: int = 0, threshold: Margin = 0) -> None:
        self.n_byzantine, self.threshold = n_byzantine, threshold

    def admissible(self, n: int) -> str | None:
        theta = self.threshold or self.n_byzantine + 1
        return at_least("robust-lr", n, self.n_byzantine, per_byzantine=2, more=theta)

    def aggregate(self, updates: Updates) -> Tensor:
        signs, n, theta = updates.signs(), updates.n, self.threshold or self.n_byzantine + 1
        # Where k rows say +1 the sum is 2 k - n. Below theta +1 is for the minority, and a tie.
        strong, weak, half = (n + theta + 1) // 2, (n - theta) // 2 + 1, n // 2 + 1
        plus, some, more = signs.at_least_each(strong, min(weak, half), half)
        return PackedSigns(plus.bits | some.but(more).bits, signs.n_coordinates).dense()
