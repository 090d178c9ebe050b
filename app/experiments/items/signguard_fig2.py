"""Xu et al. 2022, Fig. 2: the signs of honest gradients, and of the LIE vector beside them."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items import sign_statistics
from signfed.app.experiments.items.signguard import (
    CIFAR,
    DIGITS_DATA,
    FEDERATION,
    MNIST,
    PAPER,
    RATE,
    SHAPES,
    SMALL,
)
from signfed.app.experiments.judges import above_in_rounds
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines

COUNTED: Keys = {
    "strategy": f"{sign_statistics.__name__}:SignStatistics", "attack": "none", "num-byzantine": 0,
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
    quick=_setting((SMALL,), 0.5, f"{DIGITS_DATA}, batches of 4, 120 rounds"),
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
