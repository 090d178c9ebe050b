"""Xu et al. 2022, Table I: ten rules under no attack and eight, four data sets."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.signguard import (
    A_THIRD,
    AG_NEWS,
    ATTACKS,
    BASELINE,
    BEST,
    BULYAN,
    CHOICES,
    CIFAR,
    DATA,
    DNC,
    FASHION,
    FEDERATION,
    GEOMED,
    GUARDS,
    LARGER,
    LARGER_NOTE,
    MNIST,
    NAMES,
    PAPER,
    RULES,
    SMALL,
    TEN_SEEDS,
    attacked,
    crossed,
    part,
    table_1,
)
from signfed.app.experiments.items.signguard_table1_remarks import REMARKS
from signfed.app.experiments.judges import (
    Judge,
    agrees,
    alike,
    each_of,
    harms,
    higher,
    in_order,
    keeps,
)
from signfed.app.experiments.sweep import Keys, Sweep
from signfed.app.report.pictures import Heatmap, PublishedTable, within

LATE = ("LIE", "Min-Max", "Min-Sum")
DISTANCE = ("TrMean", "Median", "Multi-Krum", "Bulyan")
COLLAPSED = 5.0  # points below the mean without attack: from there on cells are judged by order


def _limit(dataset: str) -> float:
    return table_1(dataset)["mean", "none"] - COLLAPSED


def _column(task: str, dataset: str) -> PublishedTable:
    return PublishedTable(
        "strategy", "attack", BEST, table_1(dataset), title=f"Table I, {dataset}", names=NAMES,
        where={"task": task}, judge=within(0.5, collapsed=_limit(dataset)),
    )  # fmt: skip


TABLES = [_column(*pair) for pair in DATA.items()]


def _setting(
    task: Keys, minutes: float, rules: tuple[str, ...] = tuple(RULES), note: str = "",
    attacks: tuple[str, ...] = tuple(ATTACKS), estimated: bool = True,
) -> Setting:  # fmt: skip
    sweep = crossed(
        f"signguard-table1-{task['task']}", task, [RULES[rule] for rule in rules],
        {"attack": [ATTACKS[name] for name in attacks]},
    )  # fmt: skip
    return Setting(sweep, minutes, note or part(task, tuple(DATA)), estimated)


ON_DIGITS = ("No Attack", "ByzMean", "Sign-flip", "LIE", "Min-Max")
NINE = tuple(rule for rule in RULES if rule != "GeoMed")
# The paper's z is 0.3; its code's is 1, and 0.5 for the LIE in ByzMean.
_AS_CODED = crossed(
    "signguard-table1-mnist-z", A_THIRD,
    [{**RULES[rule], "attack": "none"} for rule in ("Mean", "DnC")]
    + [{**RULES[rule], "attack": attack, "lie.z": z}
       for rule in NINE for attack, z in (("lie", 1.0), ("byzmean", 0.5))],
)  # fmt: skip

# Another median, as in the authors' code; the other bound of Min-Sum; Bulyan as in its own paper.
_OTHERWISE = crossed(
    "signguard-table1-mnist-otherwise", A_THIRD,
    [BASELINE,
     *({**RULES["Median"], "median.even": "lower", "attack": ATTACKS[name]}
       for name in ("No Attack", "Random", "Noise", "Label-flip", "Sign-flip")),
     *({**RULES[rule], "attack": "min-sum", "min-sum.bound": "min"}
       for rule in ("Multi-Krum", "DnC")),
     *({**RULES["Bulyan"], "bulyan.of": "krum", "attack": attack} for attack in ATTACKS.values())],
)  # fmt: skip

# Runs that nothing breaks, half a point or more below their cell after a third of the rounds.
_IN_FULL = crossed(
    "signguard-table1-mnist-below", MNIST,
    [BASELINE,
     *({**RULES[rule], "attack": ATTACKS[name]} for rule, *names in (
         ("TrMean", "Sign-flip"), ("Multi-Krum", "Label-flip"), ("Bulyan", "LIE"),
         ("DnC", "Label-flip"), ("SignGuard-Sim", "No Attack", "LIE"),
         ("SignGuard-Dist", "No Attack", "Random", "Noise", "ByzMean", "Min-Max", "Min-Sum"),
     ) for name in names)],
)  # fmt: skip


def _lie(task: str) -> Setting:
    """Where LIE breaks a run, its best accuracy is that of the rounds before, and the seed's."""
    sweep = Sweep(
        f"signguard-table1-lie-{task}", {**FEDERATION, **A_THIRD, "num-rounds": 240},
        cases=[{"task": task, **RULES[rule], "attack": attack}
               for rule, attack in [("Mean", "none"), *((rule, "lie") for rule in NINE[:7])]],
        seeds=range(3),
    )  # fmt: skip
    return Setting(sweep, 14, "a sixth of the rounds, seven rules under LIE alone; three seeds")


# What Table I loses at most, by task, and what may be lost; of digits as of MNIST; of CIFAR-10
# without the one cell that loses 0.046.
LOSSES = {"mnist": (0.004, 0.02), "fashion-mnist": (0.013, 0.02), "cifar10": (0.018, 0.025),
          "ag-news": (0.028, 0.035)}  # fmt: skip
RESNET: Keys = {"task": "cifar10"}
FLIPPED = [attacked(rule, "Sign-flip")[0] for rule in GUARDS]
EVERY = [cell for rule in GUARDS for cell in attacked(rule, *ATTACKS)]


def _competitive(task: str) -> Judge:
    lost, allowed = LOSSES[task]
    cells = [cell for cell in EVERY if task != "cifar10" or cell != FLIPPED[0]]
    but = "" if len(cells) == len(EVERY) else ", but for one cell"
    reason = f"Table I loses up to {lost:g} on {DATA[task]}{but}"
    return keeps(BEST, BASELINE, cells, allowed, reason, "competitive accuracy")


def _on_resnet(rule: str, attack: str) -> Keys:
    return {**attacked(rule, attack)[0], **RESNET}


# On MNIST and AG-News Table I has no gain beyond its noise.
NO_WORSE = alike(BEST, FLIPPED[0], FLIPPED[1:2], "99.06 for 99.13 (MNIST), 86.76 for 86.53")
SIGNGUARD_TABLE1 = Experiment(
    "signguard-table1", PAPER,
    "Best accuracy of ten rules without attack and under eight attacks, 10 of 50 Byzantine",
    full=_setting(MNIST, 340),
    quick=_setting(
        SMALL, 4, ("Mean", "TrMean", "Multi-Krum", "DnC", *GUARDS[:2]),
        TEN_SEEDS + "; 6 of 10 rules, 4 of 8 attacks",
        ON_DIGITS, False,
    ),
    claims=(
        Claim(
            "SignGuard-type methods achieve the accuracy of SGD under no attack, whatever the "
            "attack", "Section VI-A",
            each_of("task", _competitive("mnist"), {task: _competitive(task) for task in DATA}),
        ),
        Claim(
            "LIE, Min-Max and Min-Sum circumvent rules based on medians and distances",
            "Section VI-A",
            higher(BEST, [
                (guard, cell) for name in LATE for guard in attacked("SignGuard", name)
                for rule in DISTANCE if (rule, name) != ("Bulyan", "LIE")
                for cell in attacked(rule, name)
            ], "SignGuard above TrMean, Median, Multi-Krum, Bulyan"),
        ),
        Claim(
            "The naive mean is broken by state-of-the-art attacks", "Table I",
            harms(BEST, BASELINE, attacked("Mean", "ByzMean", "LIE", "Min-Max", "Min-Sum"), 0.01,
                  "three times the paper's noise", "31.98, 84.49, 68.89, 34.46 on MNIST"),
        ),
        Claim(
            "ByzMean breaks DnC", "Section VI-A",
            harms(BEST, attacked("DnC", "No Attack")[0], attacked("DnC", "ByzMean"), 0.02,
                  "above what SignGuard may lose", "82.25 on MNIST, 99.09 without attack"),
        ),
        Claim(
            "Cosine similarity improves SignGuard under sign flipping", "Section VI-A",
            each_of(
                "task", higher(BEST, [(FLIPPED[1], FLIPPED[0])], "92.48 for 88.61 on CIFAR-10"),
                {"mnist": NO_WORSE, "ag-news": NO_WORSE},
            ),
        ),
        Claim(
            "Median and GeoMed degrade ResNet-18 even without attack", "Section VI-A",
            harms(BEST, {**BASELINE, **RESNET},
                  [_on_resnet(rule, "No Attack") for rule in ("Median", "GeoMed")], 0.05,
                  "ours: the text says significantly", "74.18 and 65.62 of 93.16"),
        ),
        Claim(
            "Multi-Krum and Bulyan mitigate sign flipping better than plain SignGuard (ResNet-18)",
            "Section VI-A",
            higher(BEST, [
                (_on_resnet(rule, "Sign-flip"), _on_resnet("SignGuard", "Sign-flip"))
                for rule in ("Multi-Krum", "Bulyan")
            ], "92.36 and 90.12 against 88.61"),
        ),
        Claim("The published cells, one by one", "Table I", agrees(TABLES)),
        Claim(
            "Under an attack that breaks runs, rules rank as in the table", "Table I",
            in_order([(_column(*pair), _limit(pair[1])) for pair in DATA.items()]),
        ),
    ),
    pictures=(*TABLES, Heatmap("strategy", "attack", BEST, "Best accuracy by rule and attack")),
    choices=(
        *CHOICES, GEOMED, DNC, BULYAN,
        "One seed, as the paper states none, where a setting does not say that there are more.",
        "Of CIFAR-10 plain SignGuard under sign flipping is left out of what may be lost: Table I "
        "has it 4.6 points below the mean without attack there, and no other cell more than 1.8.",
        "Under LIE Bulyan is not counted among the rules that are circumvented: in Table I it is "
        "within 0.3 and 0.7 points of SignGuard on MNIST and Fashion-MNIST.",
        "That Multi-Krum and Bulyan are better than plain SignGuard under noise, too, as the text "
        "says, is not judged: Table I has them better by 0.3 points at most, and worse by as much "
        "on other data.",
        "A published cell more than 5 points below the mean without attack is one of a broken "
        "run: it holds where ours is broken too. The others hold within 0.5 points. Of two rules "
        "under one attack, the lower of them broken in print and more than 0.5 points below, ours "
        "are to be in that order.",
    ),
    remarks=REMARKS,
    others={
        "batch-64": _setting(
            LARGER, 4, ("Mean", *GUARDS), f"{LARGER_NOTE}; 4 of 10 rules, 4 of 8 attacks",
            ON_DIGITS, False,
        ),
        "mnist-480": _setting(
            A_THIRD, 100, NINE,
            "a third of the rounds, without GeoMed: without attack the mean is within 0.4 points "
            "of its best by then, -Sim within 0.7, -Dist 0.5 (`mnist-1440`)",
        ),
        "mnist-480-z": Setting(_AS_CODED, 20, "a third of the rounds, without GeoMed; two attacks, "
            "with the z of the authors' code: 1 for LIE, 0.5 for ByzMean's"),
        "mnist-480-otherwise": Setting(_OTHERWISE, 16, "a third of the rounds; the lower median as "
            "in the authors' code, the smaller bound of Min-Sum as in that of its authors, and "
            "Bulyan as in its own paper"),
        "mnist-1440": Setting(_IN_FULL, 50, "all rounds, but of twelve cells alone, of runs that "
            "nothing breaks: half a point or more below theirs in `mnist-480`; and the mean "
            "without attack"),
        "mnist-lie": _lie("mnist"),
        "fashion-mnist-lie": _lie("fashion-mnist"),
        "fashion-mnist": _setting(FASHION, 340),
        "cifar10": _setting(CIFAR, 300_000),
        "ag-news": _setting(AG_NEWS, 150_000),
    },
)  # fmt: skip
