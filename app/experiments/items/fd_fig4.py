"""Park & Lee 2024, Fig. 4: how the first rounds of signSGD-FD are decoded, and how many."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.fd import (
    AUGMENTED,
    CIFAR10,
    DIGITS,
    DIGITS_NOTE,
    FALLING,
    FALLING_NOTE,
    FD,
    MNIST,
    MNIST_NOTE,
    NORMS,
    PAPER,
    ROUNDS,
    SHARDS,
    SHARED,
    SHARED_NOTE,
    T_IN,
    ZERO,
    seeds_of,
)
from signfed.app.experiments.judges import alike, averaged, higher
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines

SCORE, VOTE, LENGTH = "final_test_accuracy", "sign-fd.initial-vote", "sign-fd.initial-rounds"
ATTACK: Keys = {"attack": "sign-inversion"}
WEIGHTED: Keys = {VOTE: "weighted", "num-byzantine": 6}
PLAIN: Keys = {VOTE: "plain", "num-byzantine": 6}
CLEAN: Keys = {VOTE: "weighted", "num-byzantine": 0}
ALG1 = "The estimator is the paper's, alg1: it is what the figure is about."


def by_vote(task: Keys) -> Sweep:
    """Return the runs with a weighted and with a plain first phase.

    Parameters
    ----------
    task : mapping
    """
    return Sweep(
        "fd-fig4a",
        config={**task, **ATTACK, **FD, LENGTH: T_IN[str(task["task"])]},
        cases=[CLEAN, WEIGHTED, PLAIN],
        seeds=seeds_of(task),
    )


def by_length(task: Keys, lengths: tuple[int, ...]) -> Sweep:
    """Return the runs by T_in.

    Parameters
    ----------
    task : mapping
    lengths : tuple of int
        The values of T_in.
    """
    return Sweep(
        "fd-fig4b",
        config={**task, **ATTACK, **FD, "num-byzantine": 6},
        grid={LENGTH: lengths},
        seeds=seeds_of(task),
    )


def lasting(rounds: int) -> Keys:
    """Return the cell with this T_in.

    Parameters
    ----------
    rounds : int
    """
    return {LENGTH: rounds}


FD_FIG4A = Experiment(
    "fd-fig4a", PAPER, "The first T_in rounds decoded by weights or by a plain vote, L = 6 of 15",
    full=Setting(by_vote(CIFAR10), minutes=12_000),
    quick=Setting(by_vote(DIGITS), minutes=1, note=DIGITS_NOTE),
    claims=(
        Claim(
            "With weights in the first phase the degradation by attacks is negligible",
            "Appendix B", alike(SCORE, CLEAN, [WEIGHTED], "negligible"),
        ),
        Claim(
            "With a plain vote in the first phase accuracy deteriorates: mean over the rounds",
            "Appendix B",
            averaged(
                "test_accuracy", (VOTE, "num-byzantine"),
                higher("test_accuracy", [(WEIGHTED, PLAIN)], "weights above the plain vote"),
            ),
            of_rounds=True,
        ),
        Claim(
            "The same at the end of training", "Appendix B",
            higher(SCORE, [(WEIGHTED, PLAIN)], "weights above the plain vote"),
        ),
    ),
    pictures=(Lines("round", "test_accuracy", ("num-byzantine", VOTE), "signSGD-FD, L = 0 and 6"),),
    choices=(ALG1, ROUNDS, ZERO, SHARDS, NORMS, AUGMENTED),
    others={
        "mnist": Setting(by_vote(MNIST), minutes=25, note=MNIST_NOTE),
        "mnist-falling": Setting(by_vote(FALLING), minutes=16, note=FALLING_NOTE),
        "shared": Setting(by_vote(SHARED), minutes=1, note=SHARED_NOTE),
    },
    remarks={
        "quick": "The plain first phase costs 17 points after 20 rounds, and 4 on the mean over "
        "all, as published; half a point is left after 300. Weighted, six attackers cost nothing "
        "that ten seeds show: the error, 0.3 points, is as large as what published numbers move "
        "by; where every worker holds all images (setting `shared`) it is 0.1. Whether a gap is "
        "left after 3,000 rounds on CIFAR-10 was not tried.",
        "mnist-falling": "Six attackers cost nothing: 0.988 with and without them. How the first "
        "phase is decoded makes no difference at the end, 0.988 too, and over the rounds none "
        "beyond the error of three seeds; where it is to be seen, after 50 rounds, the plain vote "
        "is ahead, 0.920 for 0.901.",
        "shared": "All claims hold: weighted, six attackers cost nothing; the plain first phase "
        "costs 2.1 points on the mean over the rounds, and 0.6 at the end.",
        "mnist": "All three are best after 400 to 500 rounds, at 98 %, and fall to 96 by the end, "
        "each seed its own way: the rate is constant (a falling one: setting `mnist-falling`). "
        "That is wider than any of the gaps. Where they can be seen, after 50 rounds, they are "
        "the other way round: 92.0 % with the plain vote, 90.1 with weights, 90.2 with weights "
        "and nobody Byzantine; after 100, 95.0, 95.3 and 95.2.",
    },
)  # fmt: skip

FD_FIG4B = Experiment(
    "fd-fig4b", PAPER, "Test accuracy by the length T_in of the first phase, L = 6 of 15",
    full=Setting(by_length(CIFAR10, (10, 50, 100, 200, 500)), minutes=20_000),
    quick=Setting(by_length(DIGITS, (10, 50, 100, 200)), minutes=1, note=DIGITS_NOTE),
    claims=(
        Claim(
            "T_in has no significant effect unless it is too short", "Appendix B",
            alike(
                SCORE, lasting(100), [lasting(rounds) for rounds in (50, 200, 500)],
                "50 to 500 as 100", rises=True,
            ),
        ),
        Claim(
            "T_in = 10 is too short", "Appendix B",
            higher(SCORE, [(lasting(100), lasting(10))], "100 above 10"),
        ),
    ),
    pictures=(
        Lines("round", "test_accuracy", LENGTH, "signSGD-FD, L = 6"),
        Lines(LENGTH, SCORE, (), "signSGD-FD, L = 6", log_x=True),
    ),
    choices=(
        ALG1,
        "T_in: of the figure's values the text names 10 alone; 10, 50, 100, 200 and 500 are "
        "taken, 500 not of digits, nor with a falling rate.",
        ROUNDS, ZERO, SHARDS, NORMS, AUGMENTED,
    ),
    others={
        "mnist": Setting(
            by_length(MNIST, (10, 50, 100, 200, 500)), minutes=40, note=MNIST_NOTE,
        ),
        "mnist-falling": Setting(
            by_length(FALLING, (10, 50, 100, 200)), minutes=21, note=FALLING_NOTE
        ),
        "shared": Setting(by_length(SHARED, (10, 50, 100, 200)), minutes=1, note=SHARED_NOTE),
    },
    remarks={
        "mnist": "On MNIST T_in makes no difference: the curves coincide, are best after 300 to "
        "600 rounds (each run's best is at 0.981 to 0.983 on the mean), and fall from there to "
        "0.963 to 0.968, each seed its own way. That fall differs between seeds by more than any "
        "T_in does. The rate is constant; a falling one: setting `mnist-falling`.",
        "mnist-falling": "T_in makes no difference, 0.988 at the end from 10 rounds to 200, and "
        "the three seeds of each are within 0.2 points. So 10 rounds are not too short here: the "
        "curves of 10 and 100 coincide, within what the seeds differ by.",
        "quick": "T_in = 10 is below 100, as published, but there is no level above it: the "
        "longer the first phase, from 50 rounds on, the better: 0.939, 0.938, 0.949, 0.965 for "
        "T_in = 10, 50, 100, 200, and 200 is above 100 on each of ten seeds. The cause is what "
        "follows the first phase: weights per coordinate (alg1) decode worse in shares of 96 "
        "images than one weight a worker (0.938 and 0.964, fd-fig1a), and 200 of 300 rounds leave "
        "them the least time. Where every worker holds all images (setting `shared`) both claims "
        "hold.",
        "shared": "As published: T_in = 10 is below 100, by 0.4 points, and from 50 rounds on the "
        "length makes no difference, 0.960 to 0.961.",
    },
)  # fmt: skip
