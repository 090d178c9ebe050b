"""Park & Lee 2024, Fig. 3b: bits until an accuracy is reached, in both directions."""

from __future__ import annotations

from signfed.app.experiments.estimates import Rows, estimate
from signfed.app.experiments.experiment import Claim, Experiment, Setting, Verdict
from signfed.app.experiments.items.fd import (
    DIGITS,
    DIGITS_NOTE,
    ESTIMATOR,
    FD,
    MNIST,
    MV,
    OURS,
    PAPER,
    SHARDS,
    SHARED,
    SHARED_NOTE,
    ZERO,
    initial,
    seeds_of,
)
from signfed.app.experiments.judges import Judge, agreement, alike, lost, untried
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines
from signfed.app.report.published import FAILS
from signfed.app.report.rows import chosen

SCORE = "final_test_accuracy"
SGD: Keys = {"strategy": "multi-krum", "encoder": "float32"}
TOP_K: Keys = {"strategy": "multi-krum", "encoder": "top-k"}
ROOM = 0.99  # of the accuracy that every run of two reaches
CHANCE = 0.1  # ten digits


def compared(task: Keys, rounds: int) -> Sweep:
    """Return the runs of all algorithms with 6 of 15 workers that send Gaussian noise.

    Parameters
    ----------
    task : mapping
    rounds : int
    """
    config = {key: value for key, value in task.items() if key != "lr"}
    few: Keys = {
        "num-rounds": rounds,
        "evaluate-every": 5,
        "attack": "gaussian",
        "num-byzantine": 6,
    }
    signs: Keys = {"lr": 1e-3, "encoder": "sign"}
    floats: Keys = {"lr": 0.1}
    return Sweep(
        "fd-fig3b",
        config={**config, **few},
        cases=[
            {**SGD, **floats}, {**TOP_K, **floats},
            {**MV, **signs}, {**initial(FD, task), **signs}, {**OURS, **signs},
        ],
        seeds=seeds_of(task),
    )  # fmt: skip


def best_of(rounds: Rows, cell: Keys) -> dict[int, float]:
    """Return the best accuracy of each seed's run; of one without any, 0.

    Parameters
    ----------
    rounds : sequence of mapping
        One a round.
    cell : mapping
        The algorithm.
    """
    best: dict[int, float] = {}
    for row in chosen(rounds, cell):
        accuracy = row.get("test_accuracy") or 0.0  # null: of a model that is not finite
        best[row["seed"]] = max(best.get(row["seed"], 0.0), accuracy)
    return best


def bits_to(rounds: Rows, cell: Keys, accuracy: float) -> dict[int, float]:
    """Return the bits, up and down, that each seed's run sent until it reached an accuracy.

    Parameters
    ----------
    rounds : sequence of mapping
        One a round.
    cell : mapping
        The algorithm.
    accuracy : float
    """
    sent: dict[int, float] = {}
    reached: dict[int, float] = {}
    for row in chosen(rounds, cell):
        seed = row["seed"]
        sent[seed] = sent.get(seed, 0.0) + 8.0 * (row["uplink_bytes"] + row["downlink_bytes"])
        if seed not in reached and (row.get("test_accuracy") or 0.0) >= accuracy:
            reached[seed] = sent[seed]
    return reached


def times(more: Keys, less: Keys, published: float, rounding: float) -> Judge:
    """Make a judge of "so many times as many bits", until an accuracy that every run of both has.

    That is `ROOM` of the lowest best one. Where it is below half way from chance to what the better
    algorithm comes to, one of them does not learn, and no factor holds: bits until chance are those
    of a round.

    Parameters
    ----------
    more, less : mapping
        The algorithms.
    published : float
        The factor in the text.
    rounding : float
        Half of its last digit.
    """

    def judge(rounds: Rows) -> Verdict:
        text, tolerance = f"{published:g} x", f"±{rounding:g} (a rounded number)"
        best = [best_of(rounds, cell) for cell in (more, less)]
        common = [seed for seed in best[0] if seed in best[1]]
        if not common or lost(rounds, (more, less)):
            return untried(text, tolerance)
        accuracy = ROOM * min(min(runs.values()) for runs in best)
        better = max(estimate(list(runs.values())).mean for runs in best)
        if accuracy < (half := (CHANCE + better) / 2):
            ours = f"no more than {accuracy:.3f} is reached by all"
            limit = f"half way from chance to {better:.3f}: {half:.3f}"
            return Verdict(text, ours, f"{tolerance}; {limit}", FAILS)
        above, below = (bits_to(rounds, cell, accuracy) for cell in (more, less))
        factor = estimate([above[seed] / below[seed] for seed in common])
        tolerance += f" ± {factor.error:.2g} (seeds), at accuracy {accuracy:.3f}"
        says = agreement(abs(factor.mean - published), rounding, factor.error)
        return Verdict(text, f"{factor.text(digits=1)} x", tolerance, says)

    return judge


SOURCE = "Section 5.5"
RULES = ("strategy", "encoder", "sign-fd.estimator")
FD_FIG3B = Experiment(
    "fd-fig3b", PAPER, "Bits in both directions until an accuracy is reached, 6 of 15 send noise",
    full=Setting(compared(MNIST, 1000), minutes=200),
    quick=Setting(compared(DIGITS, 300), minutes=2, note=DIGITS_NOTE),
    claims=(
        Claim(
            "signSGD sends 30 times fewer bits than SGD with Multi-Krum", SOURCE,
            times(SGD, FD, 30, 5), of_rounds=True,
        ),
        Claim(
            "Top-K SGD with Multi-Krum sends 3 times fewer bits than SGD", SOURCE,
            times(SGD, TOP_K, 3, 0.5), of_rounds=True,
        ),
        Claim(
            "Top-K SGD with Multi-Krum sends 10 times more bits than signSGD-FD", SOURCE,
            times(TOP_K, FD, 10, 5), of_rounds=True,
        ),
        Claim(
            "signSGD-MV reaches the same accuracy as signSGD-FD", SOURCE,
            alike(SCORE, FD, [MV], "the same", rises=True),
        ),
    ),
    pictures=(
        Lines("megabytes", "test_accuracy", RULES, "L = 6, by what all workers send", log_x=True),
        Lines("round", "test_accuracy", RULES, "L = 6, by rounds"),
    ),
    choices=(
        "L and the target accuracy are not stated: L = 6, the largest that Multi-Krum admits of "
        "15, and 0.99 of the accuracy that every run of the two compared reaches.",
        "Bits: the rows and models themselves, without what a transport adds to them (fd-table1 "
        "has it); of all workers, up and down.",
        "K/N = 0.1; error feedback as in our top-k encoder; learning rate 0.1 for SGD and Top-K, "
        "0.001 for signs.",
        "1,000 rounds in full; the paper states none. Multi-Krum averages n - f - 2 rows; the "
        "paper leaves its K unset. The noise is N(0, 1), as in the authors' code.",
        ESTIMATOR, ZERO, SHARDS,
    ),
    others={"shared": Setting(compared(SHARED, 300), 2, SHARED_NOTE)},
    remarks={
        "quick": "At an equal number of rounds Table 1 gives 32 for SGD over signs, 1.8 for SGD "
        "over Top-K (64 N over 35.5 N) and 18 for Top-K over signs; what is measured is that "
        "times the ratio of rounds. Signs need about as many rounds as SGD at its rate of 0.1, or "
        "a tenth fewer: 36 and 20. Top-K with error feedback needs as many as SGD, so 1.8 it is; "
        "a factor of 3 needs 1.7 times fewer rounds than SGD, or a count in which the downlink is "
        "not a full model. The learning rates are the paper's for MNIST, the data here are "
        "digits. signSGD-MV does not end at the same accuracy, but 0.9 points above signSGD-FD "
        "(alg1): its weights per coordinate cost that, as in fd-fig1c, and where every worker "
        "holds all images (setting `shared`) signSGD-FD is 0.2 points above.",
        "shared": "signSGD-MV ends at the accuracy of signSGD-FD (alg1), 0.953 and 0.955. Bits "
        "are as in `quick`: 37 and 20 times, where Table 1 gives 32 and 18 at equal rounds, and "
        "Top-K 1.8, so that the claims of 3 and of 10 times do not hold here either.",
    },
)  # fmt: skip
