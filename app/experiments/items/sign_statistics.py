"""A mean that counts signs. Its runs depend on this file, not on the claims beside them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from signfed.strategies.core.updates import Updates
from signfed.strategies.mean import Mean

Z = 0.3  # of LIE, section V-B


class SignStatistics(Mean):
    """Average the rows, and count the signs that LIE's Fig. 2 shows.

    Findings of a round: `positive`, `negative` and `zero`, the shares among all values of all rows,
    and `lie_positive`, `lie_negative` and `lie_zero`, those of mu - 0.3 s.

    Examples
    --------
    >>> import torch
    >>> rule = SignStatistics()
    >>> rows = torch.tensor([[1.0, 0.1], [1.0, 2.0], [1.0, -1.8]])
    >>> _ = rule.aggregate(Updates.from_matrix(rows))
    >>> rule.diagnostics()["negative"], rule.diagnostics()["lie_negative"]
    (0.1667, 0.5)
    """

    def __init__(self) -> None:
        self._findings: dict[str, Any] = {}

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the mean of the rows, float32 [N]."""
        rows = updates.dense()
        mean = rows.mean(dim=0)
        crafted = mean - Z * rows.std(dim=0)
        self._findings = {**_shares(rows), **_shares(crafted, "lie_")}
        return mean

    def diagnostics(self) -> dict[str, Any]:
        """Return the shares, to four digits."""
        return self._findings


def _shares(values: Tensor, prefix: str = "") -> dict[str, float]:
    n = values.numel()
    above, below = int((values > 0).sum()), int((values < 0).sum())
    counts = {"positive": above, "negative": below, "zero": n - above - below}
    return {prefix + name: round(count / n, 4) for name, count in counts.items()}
