"""Park & Lee 2024, Fig. 4: how the first rounds of signSGD-FD are decoded, and how many."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.fd import (
    CIFAR10,
    DIGITS,
    DIGITS_NOTE,
    FD,
    MNIST,
    MNIST_NOTE,
    NORMS,
    PAPER,
    ROUNDS,
    SEEDS,
    SHARDS,
    T_IN,
)
from signfed.app.experiments.judges import alike, higher
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
        seeds=SEEDS,
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
        seeds=SEEDS,
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
    full=Setting(by_vote(CIFAR10), minutes=8_000, estimated=True),
    quick=Setting(by_vote(DIGITS), minutes=1, note=DIGITS_NOTE),
    claims=(
        Claim(
            "With weights in the first phase the degradation by attacks is negligible",
            "Appendix B", alike(SCORE, CLEAN, [WEIGHTED], "negligible"),
        ),
        Claim(
            "With a plain vote in the first phase accuracy deteriorates", "Appendix B",
            higher(SCORE, [(WEIGHTED, PLAIN)], "weights above the plain vote"),
        ),
    ),
    pictures=(Lines("round", "test_accuracy", ("num-byzantine", VOTE), "signSGD-FD, L = 0 and 6"),),
    choices=(ALG1, ROUNDS, SHARDS, NORMS),
    others={"mnist": Setting(by_vote(MNIST), minutes=90, note=MNIST_NOTE, estimated=True)},
)  # fmt: skip

FD_FIG4B = Experiment(
    "fd-fig4b", PAPER, "Test accuracy by the length T_in of the first phase, L = 6 of 15",
    full=Setting(by_length(CIFAR10, (10, 50, 100, 200, 500)), minutes=13_000, estimated=True),
    quick=Setting(by_length(DIGITS, (10, 50, 100, 200)), minutes=1, note=DIGITS_NOTE),
    claims=(
        Claim(
            "T_in has no significant effect unless it is too short", "Appendix B",
            alike(
                SCORE, lasting(100), [lasting(rounds) for rounds in (50, 200, 500)],
                "50 to 500 as 100",
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
    choices=(ALG1, "T_in: the paper names 10 only; 10, 50, 100, 200, 500 are taken.", ROUNDS,
             SHARDS, NORMS),
    others={
        "mnist": Setting(
            by_length(MNIST, (10, 50, 100, 200, 500)), minutes=150, note=MNIST_NOTE,
            estimated=True,
        )
    },
)  # fmt: skip
