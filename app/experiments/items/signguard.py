"""What the experiments of Xu et al. 2022 have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from signfed.app.experiments.published import published
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.strategies.core.options import Value

Grid = Mapping[str, Sequence[Value]]

PAPER = "xu-2022"
BEST = "best_test_accuracy"  # "best-achieved test accuracy during the training process"

# Section V-C: n = 50, a fifth Byzantine, momentum 0.9, weight decay 0.0005. Rate and batch are the
# authors' code's.
FEDERATION: Keys = {
    "num-workers": 50, "num-byzantine": 10, "batch-size": 50, "lr": 0.1, "momentum": 0.9,
    "weight-decay": 0.0005, "checkpoint-every": 0,
}  # fmt: skip

# 60 epochs, of CIFAR-10 160: an epoch is 24, 20 or 48 rounds of 50 x 50 samples. The rate falls
# once, after 100 epochs, as in the authors' code.
MNIST: Keys = {
    "task": "mnist", "model": "signguard-cnn", "num-rounds": 1440, "evaluate-every": 24,
}  # fmt: skip
FASHION: Keys = {**MNIST, "task": "fashion-mnist"}
CIFAR: Keys = {
    "task": "cifar10", "model": "resnet-18", "num-rounds": 3200, "evaluate-every": 20,
    "lr-schedule": "steps", "lr-milestones": "2000",
}  # fmt: skip
AG_NEWS: Keys = {
    "task": "ag-news", "model": "text-rnn", "num-rounds": 2880, "evaluate-every": 48,
}  # fmt: skip
DATA = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10",
        "ag-news": "AG-News"}  # fmt: skip
BOTH = ("fashion-mnist", "cifar10")  # of the figures
A_THIRD: Keys = {**MNIST, "num-rounds": 480}

# A federation that needs a minute in place of a day and in which the attacks still bite: gradients
# of four samples are as noisy, beside their mean, as those of 50 samples late in training.
SMALL: Keys = {
    **FEDERATION, "task": "digits", "num-workers": 20, "num-byzantine": 4, "batch-size": 4,
    "num-rounds": 120, "evaluate-every": 10,
}  # fmt: skip
# The same with the noise of larger batches, in which attacks bite less, and -Sim costs less.
LARGER: Keys = {**SMALL, "batch-size": 64}
DIGITS_DATA = (
    "scikit-learn's digits (1,437 images of 8x8) and an MLP of 9,610 parameters, 20 workers"
)
_FOUR = f"{DIGITS_DATA} of which 4 are Byzantine"
SMALL_DATA = f"{_FOUR}, batches of 4"
ROUNDS_AND_SEEDS = "120 rounds; more seeds, ten"
TEN_SEEDS = f"{SMALL_DATA}, {ROUNDS_AND_SEEDS}"
LARGER_NOTE = f"{_FOUR}, batches of 64 (of the 72 images that a worker holds), {ROUNDS_AND_SEEDS}"

RULES: dict[str, Keys] = {
    "Mean": {"strategy": "mean"},
    "TrMean": {"strategy": "trimmed-mean"},
    "Median": {"strategy": "median"},
    "GeoMed": {"strategy": "geometric-median", "geometric-median.reweight": True},
    "Multi-Krum": {"strategy": "multi-krum"},
    "Bulyan": {"strategy": "bulyan", "bulyan.of": "multi-krum"},
    "DnC": {"strategy": "dnc", "dnc.coordinates": 1000},
    "SignGuard": {"strategy": "signguard"},
    "SignGuard-Sim": {"strategy": "signguard-sim", "signguard-sim.similarity": "authors"},
    "SignGuard-Dist": {"strategy": "signguard-dist", "signguard-dist.similarity": "authors"},
}
ATTACKS: dict[str, str] = {
    "No Attack": "none", "Random": "random", "Noise": "noise", "Label-flip": "label-flip",
    "ByzMean": "byzmean", "Sign-flip": "sign-flip", "LIE": "lie", "Min-Max": "min-max",
    "Min-Sum": "min-sum",
}  # fmt: skip
NAMES: dict[object, str] = {
    **{rule["strategy"]: name for name, rule in RULES.items()},
    **{attack: name for name, attack in ATTACKS.items()},
}
BASELINE: Keys = {**RULES["Mean"], "attack": "none"}
UNDER = ("ByzMean", "Sign-flip", "LIE", "Min-Max", "Min-Sum")  # of Table II
GUARDS = ("SignGuard", "SignGuard-Sim", "SignGuard-Dist")

RATE = (
    "Learning rate 0.1 and, where a setting does not say otherwise, batches of 50: the authors' "
    "code; the paper states neither."
)
BYZANTINE = (
    "Without attack all workers are honest, and rules that take f take the number of the other "
    "runs (10 of 50), as the paper does."
)
GEOMED = "GeoMed is the authors' reweighted form (geometric-median.reweight)."
BULYAN = (
    "Bulyan takes means of Multi-Krum for rows (bulyan.of='multi-krum'), as in the authors' code; "
    "its own paper takes the rows that Krum chooses (`mnist-480-otherwise` of signguard-table1)."
)
DNC = "DnC: 1,000 coordinates and one iteration, as in the authors' code; c = 1 keeps n - f rows."
SIMILARITY = (
    "-Sim and -Dist take the similarity as the authors' code scales it (similarity='authors'). As "
    "the text reads it, the raw value, it drowns the signs: setting `printed` of signguard-table2."
)
SHAPES = (
    "The CNN of MNIST and Fashion-MNIST has three fully connected layers, as in the authors' "
    "code; the paper says two. ResNet-18 keeps no running statistics: batch norm takes those of a "
    "test batch, of 1,000 images."
)
PANELS = "The attacks are those of Table II; which the panels show is lost in our copy."
# What a figure without numbers may lose where it "slightly" loses.
SMALL_LOSS, OURS = 0.03, "ours: the figure has no numbers, a drop of a few points at most"
CLUSTERS = (
    "Mean shift's bandwidth is the mean distance to the n/2-th neighbour (quantile 0.5), as in "
    "the authors' code; the paper names Mean-Shift alone."
)
CHOICES = (RATE, BYZANTINE, SHAPES, SIMILARITY, CLUSTERS)


def part(task: Keys, tasks: Sequence[str] = BOTH) -> str:
    """Return the note of a setting that has one of the data sets of a table or figure.

    Parameters
    ----------
    task : mapping
        Run-config keys of the setting's.
    tasks : sequence of str
        All of them. The first one is setting `full`; that of another has the name of its task.

    Examples
    --------
    >>> part(CIFAR)
    'CIFAR-10 alone, one of 2 data sets; Fashion-MNIST is `--setting full`'
    """
    mine = str(task["task"])
    others = ", ".join(
        f"{DATA[other]} is `--setting {other if other != tasks[0] else 'full'}`"
        for other in tasks if other != mine
    )  # fmt: skip
    return f"{DATA[mine]} alone, one of {len(tasks)} data sets; {others}"


def crossed(
    name: str, task: Keys, rules: Iterable[Keys], grid: Grid | None = None, seeds: int = 10
) -> Sweep:
    """Return the runs of some rules on a task, with one seed; of the small task with more.

    Parameters
    ----------
    name : str
    task : mapping
        Run-config keys of the task. Its name becomes a column of the rows, by which the published
        tables find the cells that are meant.
    rules : iterable of mapping
    grid : mapping, optional
        What else varies, as for `Sweep`.
    seeds : int
        Of the small task.
    """
    cases = [{"task": task["task"], **rule} for rule in rules]
    counted = range(
        seeds if task["task"] == "digits" else 1
    )  # 360 test images: 1.2 points of noise
    return Sweep(name, {**FEDERATION, **task}, grid or {}, cases, tuple(counted))


def attacked(rule: str, *attacks: str) -> list[Keys]:
    """Return the cells of a rule under some attacks, both by their names in the paper.

    Parameters
    ----------
    rule : str
    *attacks : str
    """
    return [{"strategy": RULES[rule]["strategy"], "attack": ATTACKS[name]} for name in attacks]


def table_1(dataset: str) -> dict[tuple[object, object], float]:
    """Return a data set's part of Table I: (strategy, attack) -> best accuracy in per cent.

    Parameters
    ----------
    dataset : {"MNIST", "Fashion-MNIST", "CIFAR-10", "AG-News"}
    """
    return {
        (RULES[cell.defense]["strategy"], ATTACKS[cell.attack]): cell.value
        for cell in published("signguard", table="Table I", dataset=dataset)
    }
