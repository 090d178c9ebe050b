"""PRoBit+: the maximum-likelihood mean of values that came as one random bit each."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.strategy import RobustStrategy


def likeliest_mean(signs: PackedSigns, magnitude: float) -> Tensor:
    """Estimate the common mean of the workers' values from their bits.

    theta_j = b (2 N_j / n - 1),    N_j the number of rows that say + in coordinate j

    It maximises the likelihood of n independent bits that are + with probability
    (b + theta_j) / (2 b), and its mean is the mean of the workers' clipped values.

    Parameters
    ----------
    signs : PackedSigns, n rows
    magnitude : float, above 0
        b, the range of the values.

    Returns
    -------
    Tensor, float32 [N], in [-b, b]

    Examples
    --------
    >>> import torch
    >>> signs = PackedSigns.pack(torch.tensor([[1.0, -1.0], [1.0, 1.0], [1.0, 1.0], [1.0, -1.0]]))
    >>> likeliest_mean(signs, 0.5)
    tensor([0.5000, 0.0000])
    """
    return signs.mean() * magnitude


class ProbitPlus(RobustStrategy):
    """Estimate the workers' mean gradient from one random bit a coordinate (`likeliest_mean`).

    A client sends + with probability (b + g) / (2 b), g clipped to [-b, b] (encoder `probit`), so
    the estimate has no bias but the clipping's. No worker moves a coordinate by more than 2 b / n,
    f of n by more than 2 b f / n, whatever they send: that is all its robustness. Its error falls
    as 1 / sqrt(n).

    Precondition: none. The direction is a gradient, not a sign vector: it wants the learning rate
    of `mean`, and the model goes down in 32 bits.

    Notes
    -----
    State: none. b is the encoder's, `probit.range`. Float rows are averaged as they are.

    Deviation: b stays as it is given. The paper adjusts it from round to round and trains
    personalised models; of its text only the abstract could be read. The answer is that of `mean`
    with encoder='probit', without making floats of all rows at once.

    References
    ----------
    Lan, Xiao & Zhang 2025, "One-Bit Model Aggregation for Differentially Private and
    Byzantine-Robust Personalized Federated Learning", arXiv 2507.03973.

    Examples
    --------
    >>> from signfed import aggregate
    >>> aggregate("probit-plus", [[1.0, -2.0], [3.0, 4.0]])
    array([2., 1.], dtype=float32)
    """

    encoder = "probit"

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the estimate, float32 [N]."""
        if updates.on_sign_channel:
            return likeliest_mean(updates.signs(), updates.magnitude)
        return updates.dense().mean(dim=0)
