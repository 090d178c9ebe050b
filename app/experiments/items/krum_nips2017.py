"""Blanchard et al. 2017, Krum, on Spambase: as the krum package runs it ("krum_nips_2017")."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.judges import Judge, every, harms, keeps, near
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines

LAST = "final_test_accuracy"
# The package's README.
TABLE: Keys = {
    "task": "spambase", "model": "krum-mlp", "num-workers": 20, "batch-size": 3, "lr": 0.01,
    "weight-decay": 1e-4, "num-rounds": 300, "evaluate-every": 15, "checkpoint-every": 0,
}  # fmt: skip
QUIET: Keys = {"num-byzantine": 0, "attack": "none"}
FLIPPED: Keys = {"num-byzantine": 6, "attack": "reverse-scaling", "reverse-scaling.factor": 10.0}
MEAN, MULTI = {"strategy": "mean"}, {"strategy": "multi-krum"}
ATTACKED: Keys = {"strategy": "multi-krum", "num-byzantine": 6}
ABOUT = 0.03
OURS = 'ours: what the README\'s "about" may mean on another split'


def _about(number: float, cell: Keys) -> Judge:
    return near(LAST, cell, number, noise=ABOUT, reason=OURS)


def _setting(seeds: int, minutes: float) -> Setting:
    cases = (
        {**MEAN, **QUIET}, {**MULTI, **QUIET, "multi-krum.selected": 18}, {**MEAN, **FLIPPED},
        {**MULTI, **FLIPPED, "multi-krum.selected": 12},
    )  # fmt: skip
    return Setting(Sweep("krum-nips2017", TABLE, {}, cases, tuple(range(seeds))), minutes)


KRUM_NIPS2017 = Experiment(
    "krum-nips2017", "blanchard-2017",
    "Spambase, 20 workers: Multi-Krum and the mean with six workers that send -10 times theirs",
    full=_setting(10, 3),
    quick=_setting(3, 1),
    claims=(
        Claim(
            "Without attack mean and Multi-Krum reach about 85 %", "krum's README",
            every(*(_about(0.85, {**rule, **QUIET}) for rule in (MEAN, MULTI))),
        ),
        Claim(
            "Multi-Krum reaches about 83 % with six Byzantine workers", "krum's README",
            _about(0.83, ATTACKED),
        ),
        Claim(
            "It loses no more than two points by the attack", "krum's README",
            keeps(LAST, {**MULTI, **QUIET}, [ATTACKED], 0.02, "the README: 1 to 2", "1 to 2"),
        ),
        Claim(
            "The mean diverges", "krum's README",
            harms(LAST, {**MEAN, **QUIET}, [{"strategy": "mean", "num-byzantine": 6}], 0.2,
                  "the larger class is 0.62 of the test rows", "NaN by round 75, 40 %, then 60 %"),
        ),
    ),
    pictures=(
        Lines("round", "test_accuracy", ("strategy", "num-byzantine"), "Accuracy by round"),
    ),
    choices=(
        "The split into training and test rows is drawn once, another one than krum's, and "
        "features are scaled over the training rows alone.",
        "Weights start as Xavier's, as in krum. Started as PyTorch does, no run learns more than "
        "the share of the larger class: 300 rounds at rate 0.01 are few.",
        "Seeds: ten, three in the quick setting; krum runs one.",
        "A diverged run counts as accuracy 0; krum's stays at the share of one class.",
    ),
)  # fmt: skip
