"""Xu et al. 2022, Fig. 2: the signs of honest gradients, and of the LIE vector beside them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.signguard import (
    CIFAR,
    FEDERATION,
    MNIST,
    PAPER,
    RATE,
    SHAPES,
    SMALL,
    SMALL_NOTE,
)
from signfed.app.experiments.judges import above_in_rounds
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines
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


COUNTED: Keys = {
    "strategy": f"{__name__}:SignStatistics", "attack": "none", "num-byzantine": 0,
}  # fmt: skip


def _setting(tasks: tuple[Keys, ...], minutes: float, note: str = "") -> Setting:
    cases = [{**FEDERATION, **task, **COUNTED} for task in tasks]
    return Setting(Sweep("signguard-fig2", cases=cases), minutes, note, estimated=not note)


def _pictures() -> list[Lines]:
    return [
        Lines("round", column, "task", f"Share of {text}")
        for column, text in (
            ("positive", "positive values, honest gradients"),
            ("lie_positive", "positive values, LIE vector"),
            ("negative", "negative values, honest gradients"),
            ("lie_negative", "negative values, LIE vector"),
        )
    ]


SIGNGUARD_FIG2 = Experiment(
    "signguard-fig2", PAPER,
    "Share of positive and negative values in honest gradients and in the LIE vector, by round",
    full=_setting((MNIST, CIFAR), 10_000),
    quick=_setting((SMALL,), 0.5, SMALL_NOTE),
    claims=(
        Claim(
            "The LIE vector has fewer positive values than honest gradients", "Section III, Fig. 2",
            above_in_rounds("positive", "lie_positive", "fewer, in every round"), of_rounds=True,
        ),
        Claim(
            "It has more negative values", "Section III, Fig. 2",
            above_in_rounds("lie_negative", "negative", "more, in every round"), of_rounds=True,
        ),
    ),
    pictures=_pictures(),
    choices=(
        RATE, SHAPES,
        "No worker is Byzantine: the vector is computed beside the run, with z = 0.3.",
    ),
)  # fmt: skip
