"""El Mhamdi et al. 2018, Bulyan, on MNIST: as the krum package runs it."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.judges import keeps, near
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines

LAST = "final_test_accuracy"
# The package's README, "hidden_vulnerability_icml_2018".
MNIST: Keys = {
    "task": "mnist", "model": "mlp", "num-workers": 39, "batch-size": 32, "lr": 0.1,
    "num-rounds": 100, "evaluate-every": 10, "checkpoint-every": 0,
}  # fmt: skip
BYZANTINE = 9  # Krum takes one row: where it is theirs, a ninth of them is accepted
MOVED: Keys = {"num-byzantine": BYZANTINE, "attack": "one-coordinate"}
AVERAGE: Keys = {"strategy": "mean", "num-byzantine": 0, "attack": "none"}


def _setting(task: Keys, seeds: int, minutes: float, note: str = "", shift: float = 4.0) -> Setting:
    cases = (
        AVERAGE,
        *(
            {"strategy": rule, **MOVED, "one-coordinate.shift": shift}
            for rule in ("krum", "multi-krum", "bulyan")
        ),
    )
    return Setting(Sweep("krum-icml2018", task, {}, cases, tuple(range(seeds))), minutes, note)


def _of(rule: str) -> Keys:
    return {"strategy": rule, **MOVED}


KRUM_ICML2018 = Experiment(
    "krum-icml2018", "elmhamdi-2018",
    "MNIST, 9 of 39 workers send the honest mean with one coordinate moved by 4",
    full=_setting(MNIST, 3, 3),
    quick=_setting({**MNIST, "num-rounds": 50}, 3, 2, "50 rounds of 100"),
    others={
        "nearer": _setting(
            {**MNIST, "num-rounds": 50}, 3, 2, "50 rounds of 100, the coordinate moved by 2",
            shift=2.0,
        ),
    },
    remarks={
        "full": "Krum takes the moved row in none of 300 rounds: why is said under `quick`. "
        "With the shift of `nearer` it does so in 19 of 20.",
        "quick": "4 is too far for Krum here: it takes the moved row in no round. With D the mean "
        "squared distance of an honest row from their mean, the moved row's score is 20 (D + 16), "
        "as eight of its 28 neighbours are its equals, and an honest one's 56 D: it is chosen "
        "where D is above 8.9. D is 3.8 to 4.6 in the first 40 rounds, which allows a shift of 2.6 "
        "to 2.9: see the setting `nearer`. Krum's loss, which is above Bulyan's (0.485 ± 0.046 "
        "against 0.395 ± 0.005; in `nearer` 0.436 ± 0.022 against 0.393 ± 0.002), is no sign of "
        "poison: it is higher here, without moved rows, than with them, since one honest row is "
        "noisier than their mean.",
        "nearer": "Krum takes the moved row in 48, 48 and 47 of 50 rounds. In the other seven one "
        "of the thirty honest rows has a lower score, 136 to 155 against 145 to 158; that of the "
        "honest row in the middle, of which the estimate under `quick` speaks, is 207 to 244.",
    },
    claims=(
        Claim(
            "Krum takes the moved row in every round", "krum's README",
            near("byzantine_accepted", _of("krum"), 1.0, scale=BYZANTINE, noise=0.01 / BYZANTINE,
                 reason="one round of a hundred"),
        ),
        Claim(
            "Bulyan is as good as the average without attack", "krum's README",
            keeps(LAST, AVERAGE, [_of("bulyan")], 0.02, "ours: a picture without numbers",
                  "matches the average"),
        ),
    ),
    pictures=(
        Lines("round", "test_accuracy", "strategy", "Accuracy by round"),
        Lines("round", "test_loss", "strategy", "Loss by round"),
    ),
    choices=(
        "The MLP has 128 hidden units, krum's 100.",
        "The rate is constant: krum's 0.1 falls by 1 % over 100 rounds.",
        "Digits in place of MNIST do not show it: gradients there are shorter than 4, and Krum "
        "took the moved row in none of 300 rounds.",
        "Multi-Krum with its usual n-f-2 rows stands beside Krum.",
    ),
)  # fmt: skip
