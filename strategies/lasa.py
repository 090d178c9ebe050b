"""LASA: in each layer, the mean of the rows whose norm and signs are not unusual there."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import average, norms
from signfed.strategies.server.strategy import RobustStrategy

ROUNDING = 2.0**-18  # of the largest norm: rows that are clipped to one norm differ by less


def prepared(rows: Tensor, sparsity: float) -> Tensor:
    """Shorten rows to the median norm M, and keep the largest values of each.

    x_i min(1, M / ||x_i||), but for the share `sparsity` of smallest magnitude, which become 0.

    Parameters
    ----------
    rows : Tensor, float32 [n, N]
    sparsity : float in [0, 1)

    Returns
    -------
    Tensor, float32 [n, N]
        At least one value of each row is kept; so are all whose magnitude equals the smallest kept.

    Examples
    --------
    >>> prepared(torch.tensor([[3.0, 4.0], [6.0, 8.0], [0.0, 5.0]]), 0.5)
    tensor([[0., 4.],
            [0., 4.],
            [0., 5.]])
    """
    lengths, n = norms(rows), rows.shape[1]
    shorter = (lengths.quantile(0.5) / lengths).clamp(max=1.0).nan_to_num(1.0)  # 0/0: as it is
    found = rows * shorter.to(rows)[:, None]
    dropped = min(n - 1, int(round(sparsity * n, 9)))  # 0.07 * 100 is 7
    for row in found:  # one by one: no second matrix of floats
        size = row.abs()
        row[size < size.kthvalue(dropped + 1).values] = 0.0
    return found


def unusual(values: Tensor, rounding: float = 0.0) -> Tensor:
    """Measure how far values lie from their median, in standard deviations: |x - med| / std.

    Parameters
    ----------
    values : Tensor, float64 [n], at least 0
    rounding : float
        The share of the largest value up to which a distance counts as 0.

    Returns
    -------
    Tensor, float64 [n]
        To nine digits, since two equal halves lie at exactly 1; 0 where all values are equal.

    Examples
    --------
    >>> unusual(torch.tensor([0.0, 0.0, 0.0, 2.0], dtype=torch.float64))
    tensor([0.0000, 0.0000, 0.0000, 2.3094], dtype=torch.float64)
    """
    distance = (values - values.quantile(0.5)).abs()
    scaled = distance / values.std(correction=0)
    return torch.where(distance > rounding * values.max(), scaled, 0.0).round(decimals=9)


def purity(rows: Tensor) -> Tensor:
    """Compute the share of positive values among those that are not 0; 1/2 where all are.

    Parameters
    ----------
    rows : Tensor, float32 [n, N]

    Returns
    -------
    Tensor, float64 [n]

    Examples
    --------
    >>> purity(torch.tensor([[1.0, 0.0, -1.0, 2.0], [0.0, 0.0, 0.0, 0.0]]))
    tensor([0.6667, 0.5000], dtype=torch.float64)
    """
    positive, negative = ((rows > 0).sum(dim=1), (rows < 0).sum(dim=1))
    return torch.where(positive + negative > 0, positive.double() / (positive + negative), 0.5)


class LASA(RobustStrategy):
    """Average, layer by layer, the rows whose norm and share of positive signs are usual there.

    All rows are shortened to the median norm and made sparse (`prepared`). A layer of a row is
    accepted if both its norm and its `purity` lie less than lambda standard deviations from the
    median over the rows (`unusual`); a layer's answer is the mean of the accepted ones, of all rows
    where none is.

    A layer is a parameter tensor of the model, one after another in the vector. Called on a bare
    matrix without `edges`, there is one layer.

    Precondition: none; it is meant for a minority of Byzantine workers.

    Parameters
    ----------
    sparsity : float
        In [0, 1), the share of each row's values that become 0.
    norm_radius, sign_radius : float
        lambda_n and lambda_s, above 0.

    Notes
    -----
    State: none.

    Deviation: the authors' code leaves biases and norms out when it makes rows sparse; all
    coordinates take part here. Its median of an even number is the lower of the middle two; here it
    is their mean. Its defaults are ours: sparsity 0.3, both radii 1. Norms that differ from their
    median by at most 2^-18 of the largest count as equal to it: rows that are clipped to one norm
    differ in the last bits, and where all are, a standard deviation is made of these.

    References
    ----------
    Xu, Zhang & Hu 2025, "Achieving Byzantine-Resilient Federated Learning via Layer-Adaptive
    Sparsified Model Aggregation", WACV, arXiv 2409.01435; the authors' code.

    Examples
    --------
    >>> from signfed import aggregate
    >>> rows = [[1.0, 1.0, 2.0], [1.0, 1.0, 2.0], [1.0, 1.0, 2.0], [-1.0, -1.0, 2.0]]
    >>> aggregate("lasa", rows, edges=[0, 2, 3], sparsity=0.0)
    array([1., 1., 2.], dtype=float32)
    """

    encoder = "float32"

    def __init__(
        self,
        sparsity: Annotated[
            float, Field(ge=0, lt=1, description="share of each row's values that become 0")
        ] = 0.3,
        norm_radius: Annotated[
            float, Field(gt=0, description="lambda_n: how unusual a layer's norm may be")
        ] = 1.0,
        sign_radius: Annotated[
            float, Field(gt=0, description="lambda_s: how unusual its share of + may be")
        ] = 1.0,
    ) -> None:
        self.sparsity = sparsity
        self.norm_radius = norm_radius
        self.sign_radius = sign_radius
        self._shares: dict[int, float] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the accepted layers, float32 [N]."""
        rows = prepared(updates.dense(), self.sparsity)
        answer = torch.empty_like(rows[0])
        shares = torch.zeros(len(rows), dtype=torch.float64)
        for start, stop in pairwise(updates.layers):
            layer = rows[:, start:stop]
            usual = (unusual(norms(layer), ROUNDING) < self.norm_radius) & (
                unusual(purity(layer)) < self.sign_radius
            )
            chosen = usual if usual.any() else torch.ones_like(usual)
            answer[start:stop] = average(layer, chosen.nonzero().flatten())
            shares += chosen.cpu() * ((stop - start) / updates.n_coordinates)
        self._shares = dict(zip(updates.ids.tolist(), shares.tolist(), strict=True))
        return answer

    def diagnostics(self) -> dict[str, Any]:
        """Return `layers`: worker id -> share of the coordinates whose layers were accepted.

        `accepted`: the ids whose share is at least 1/2.
        """
        accepted = [worker for worker, share in self._shares.items() if share >= 0.5]
        return {"layers": self._shares, "accepted": accepted}
