"""What the experiments of Sohn et al. 2020 (supplement) have in common."""

from __future__ import annotations

from collections.abc import Sequence

from signfed.app.experiments.experiment import Setting
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.strategies.core.options import Value

PAPER = "sohn-2020"
BEST = "best_test_accuracy"
CIFAR_TRAIN = 50_000
SEEDS, QUICK_SEEDS = (0, 1, 2), tuple(range(10))

# Table B.2 and the authors' code: rate, momentum (of the server, on the vote), weight decay, 100
# epochs. Byzantine nodes are random and fixed for a run; they reverse their votes.
SETTINGS: Keys = {
    "task": "cifar10", "model": "resnet-18", "lr": 1e-4, "momentum": 0.9, "weight-decay": 1e-4,
    "attack": "sign-inversion", "byzantine-ids": "random", "checkpoint-every": 0,
}  # fmt: skip
BATCH = {
    (5, 1): 24, (5, 2): 48, (9, 2): 64, (9, 3): 14, (9, 4): 14, (15, 3): 16, (15, 6): 16,
    (15, 7): 64,
}  # fmt: skip
EPOCHS, DECAYS = 100, {5: (40, 80), 9: (40, 80), 15: (20, 40, 80)}

# Seconds in place of days: digits, and a rate at which 100 steps of sign descent suffice.
SMALL: Keys = {
    **SETTINGS, "task": "digits", "model": "mlp", "lr": 3e-4, "batch-size": 24, "num-rounds": 100,
    "evaluate-every": 10,
}  # fmt: skip
SMALL_NOTE = (
    "scikit-learn's digits (1,437 images of 8x8) and an MLP of 9,610 parameters, batches of "
    "24, rate 0.0003, 100 rounds; more seeds, ten"
)

MV: Keys = {"strategy": "sign-mv"}


def bernoulli(r: float, **more: Value) -> Keys:
    """Return Election Coding with a Bernoulli code of that mean redundancy.

    Parameters
    ----------
    r : float
        Partitions a worker.
    **more
        Options of `election`: batch, noise, tie.
    """
    options: Keys = {f"election.{name}": value for name, value in more.items()}
    return {
        "strategy": "election", "election.code": "bernoulli", "election.redundancy": r, **options,
    }  # fmt: skip


def deterministic(b: int) -> Keys:
    """Return Election Coding with the deterministic code for b Byzantine nodes.

    Parameters
    ----------
    b : int
    """
    return {"strategy": "election", "assumed-byzantine": b}


def nodes(n: int, b: int, batch: int | None = None) -> Keys:
    """Return the keys of n nodes of which b are Byzantine: batch, rounds and decays of the rate.

    Parameters
    ----------
    n, b : int
    batch : int, optional
        Samples of a partition in a round, B; Table B.2's by default.
    """
    size = batch or BATCH[n, b]
    epoch = CIFAR_TRAIN // (n * size)
    return {
        "num-workers": n, "num-byzantine": b, "batch-size": size, "num-rounds": EPOCHS * epoch,
        "evaluate-every": epoch, "lr-schedule": "steps",
        "lr-milestones": ",".join(str(epoch * each) for each in DECAYS[n]),
    }  # fmt: skip


def full(
    name: str, groups: Sequence[tuple[Keys, Sequence[Keys]]], minutes: float, **config: str
) -> Setting:
    """Return the paper's runs: for each set of nodes its codes; the minutes are estimated.

    Parameters
    ----------
    name : str
    groups : sequence of (mapping, sequence of mapping)
        Nodes, and the codes that they run.
    minutes : float
    **config
        Keys that differ from the usual ones.
    """
    cases = [{**each, **code} for each, codes in groups for code in codes]
    sweep = Sweep(name, config={**SETTINGS, **config}, cases=cases, seeds=SEEDS)
    return Setting(sweep, minutes, estimated=True)


def quick(
    name: str, groups: Sequence[tuple[tuple[int, int], Sequence[Keys]]], minutes: float,
    note: str = "",
) -> Setting:  # fmt: skip
    """Return the same on digits.

    Parameters
    ----------
    name : str
    groups : sequence of ((int, int), sequence of mapping)
        n and b, and the codes that they run.
    minutes : float
    note : str
        What else is smaller.
    """
    cases = [
        {"num-workers": n, "num-byzantine": b, **code} for (n, b), codes in groups for code in codes
    ]
    sweep = Sweep(name, config=SMALL, cases=cases, seeds=QUICK_SEEDS)
    return Setting(sweep, minutes, SMALL_NOTE + note)


def cells(n: int, b: int, codes: Sequence[Keys]) -> list[Keys]:
    """Return the cells of n nodes, b Byzantine, for each code.

    Parameters
    ----------
    n, b : int
    codes : sequence of mapping
    """
    return [{"num-workers": n, "num-byzantine": b, **code} for code in codes]


VOTERS = "All n nodes vote; one of the authors' scripts leaves out the last one."
TIES = (
    "A node with an even number of partitions can be tied, and a gradient can be exactly 0 (dead "
    "units, empty pixels). The authors' nodes abstain; here both are +1 where `election.tie` is "
    "not named, for a bit has no third value. That is always the same side. With batches of 6 on "
    "digits (15 nodes, 6 Byzantine, r = 3, seeds 0 to 4) it ruins two runs of five, 0.10 and 0.34 "
    "at the end; with coins and with abstentions all five end between 0.74 and 0.87."
)
TRAINING = (
    "Weight decay 1e-4 and, in full, 100 epochs and three seeds are the authors' code's; momentum "
    "is the server's, on the vote, as there."
)
CURVES = "Where a figure shows curves, the best accuracy of each run is judged, not the last."
NORMS = (
    "ResNets keep no running statistics: batch norm takes those of a test batch, of 1,000 images."
)
CHOICES = (VOTERS, TIES, TRAINING, CURVES, NORMS)
