"""Park & Lee 2024, Fig. 3a: five one-bit algorithms under sign inversion."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.fd import (
    AUGMENTED,
    CIFAR10,
    DIGITS,
    DIGITS_NOTE,
    ESTIMATOR,
    FD,
    NORMS,
    OURS,
    PAPER,
    POOLED,
    ROUNDS,
    SHARDS,
    SHARED,
    SHARED_NOTE,
    ZERO,
    initial,
    seeds_of,
)
from signfed.app.experiments.judges import higher
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Lines

SCORE = "final_test_accuracy"
VOTE: Keys = {"strategy": "sign-mv", "encoder": "sign"}
NOISY: Keys = {"strategy": "sign-mv", "encoder": "noisy-sign"}
ELECTION: Keys = {"strategy": "election"}
STO: Keys = {"strategy": "reputation-mv"}
# Parameters of Appendix A.
WITH_OPTIONS: tuple[Keys, ...] = (
    VOTE,
    {**ELECTION, "election.code": "bernoulli", "election.redundancy": 2.0},
    {**STO, "sto-sign.scale": 0.012},
    {**NOISY, "noisy-sign.std": 1e-3},
)


def compared(task: Keys) -> Sweep:
    """Return the runs of all algorithms with L = 6 of 15, sign inversion.

    Parameters
    ----------
    task : mapping
    """
    return Sweep(
        "fd-fig3a",
        config={**task, "attack": "sign-inversion", "num-byzantine": 6},
        cases=[*WITH_OPTIONS, initial(FD, task), POOLED, OURS],
        seeds=seeds_of(task),
    )


FD_FIG3A = Experiment(
    "fd-fig3a", PAPER, "Test accuracy of one-bit algorithms under sign inversion, L = 6 of 15",
    full=Setting(compared(CIFAR10), minutes=27_000),
    quick=Setting(compared(DIGITS), minutes=2, note=DIGITS_NOTE),
    claims=(
        Claim(
            "signSGD-FD achieves the highest accuracy of the signSGD-style optimizers",
            "Section 5.5",
            higher(
                SCORE, [(FD, other) for other in (VOTE, ELECTION, STO, NOISY)],
                "FD above MV, Election, Sto, Noisy",
            ),
        ),
        Claim(
            "With one weight a worker (estimator pooled, T_in without end) it is above them",
            "ours",
            higher(
                SCORE, [(POOLED, other) for other in (VOTE, ELECTION, STO, NOISY)],
                "(not in the paper)",
            ),
        ),
        Claim(
            "Our default estimator is above them, too", "ours",
            higher(
                SCORE, [(OURS, other) for other in (VOTE, ELECTION, STO, NOISY)],
                "(not in the paper)",
            ),
        ),
    ),
    pictures=(
        Lines("round", "test_accuracy", ("strategy", "encoder", "sign-fd.estimator"), "L = 6"),
    ),
    choices=(
        ESTIMATOR, ROUNDS,
        "Election: a random Bernoulli code with r = 2; the first stage is not attacked, as in the "
        "paper.",
        "Sto-signSGD: the reputation is ours (w = max(0, 2 a - 1)), its original could not be "
        "read; b = 0.012 was tuned for CIFAR-10 and is taken everywhere.",
        ZERO, SHARDS, NORMS, AUGMENTED,
    ),
    others={"shared": Setting(compared(SHARED), 2, SHARED_NOTE)},
    remarks={
        "quick": "signSGD-FD (alg1) is above the plain vote, Election and Noisy signSGD, and "
        "below Sto-signSGD, 0.938 and 0.945. Two choices meet there: our reputation rejects 97 % "
        "of the attackers' rows, so that nine equal honest votes are left, and the weights per "
        "coordinate of alg1 cost 2.7 points on shares of 96 images (fd-fig1a). Our default is "
        "above all.",
        "shared": "As published: where every worker holds all images, as in the authors' code, "
        "signSGD-FD (alg1) is at 0.960, Sto-signSGD at 0.943, Election at 0.940, the plain vote "
        "at 0.935 and Noisy signSGD at 0.934. Our default and one weight a worker are at 0.961.",
    },
)  # fmt: skip
