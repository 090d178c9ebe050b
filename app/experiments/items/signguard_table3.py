"""Xu et al. 2022, Table III: what each part of SignGuard-Sim is good for."""

from __future__ import annotations

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.signguard import (
    BEST,
    CHOICES,
    CIFAR,
    FASHION,
    LARGER,
    LARGER_NOTE,
    NAMES,
    PAPER,
    RULES,
    SMALL,
    TEN_SEEDS,
    crossed,
)
from signfed.app.experiments.judges import Judge, agrees, harms, higher, keeps, of_worst
from signfed.app.experiments.published import published
from signfed.app.experiments.sweep import Keys
from signfed.app.report.pictures import Heatmap, PublishedTable, within

PARTS = "signguard-sim.components"
COMPONENTS = {
    "threshold": "filter", "clustering": "cluster", "clip": "clip",
    "threshold+clustering": "filter,cluster", "clustering+clip": "cluster,clip",
    "threshold+clustering+clip": "filter,cluster,clip",
}  # fmt: skip
ATTACKS = {"Random": "random", "Reverse with scaling": "reverse-scaling", "LIE": "lie"}
BESIDE = ("none", "sign-flip")  # what Table III leaves out; -Sim loses points there
BESIDE_NOTE = "besides, no attack and flipped signs"
VALUES = {
    (COMPONENTS[cell.setting["components"]], ATTACKS[cell.attack]): cell.value
    for cell in published("signguard", table="Table III")
}
TABLE = PublishedTable(
    PARTS, "attack", BEST, VALUES, title="Table III, CIFAR-10",
    names=NAMES | {ours: name for name, ours in COMPONENTS.items()}
    | {"reverse-scaling": "Reverse with scaling"},
    where={"task": "cifar10"}, judge=within(0.5, collapsed=90.0),
)  # fmt: skip


def _cells(parts: str) -> list[Keys]:
    return [{PARTS: parts, "attack": attack} for attack in ATTACKS.values()]


def _attack(name: str, parts: str) -> Keys:
    """Section VI-C: r is the threshold's bound R = 3, or 100 where nothing looks at lengths."""
    if name != "reverse-scaling":
        return {"attack": name}
    return {"attack": name, "reverse-scaling.factor": 100.0 if parts == "cluster" else 3.0}


def _of_the_table(judge: Judge) -> Judge:
    """Make a judge of the rows under the attacks of Table III."""
    return lambda rows: judge([row for row in rows if row["attack"] in ATTACKS.values()])


def _setting(
    task: Keys, minutes: float, note: str = "", estimated: bool = True,
    attacks: tuple[str, ...] = tuple(ATTACKS.values()),
) -> Setting:  # fmt: skip
    rules = [
        {**RULES["SignGuard-Sim"], PARTS: parts, **_attack(attack, parts)}
        for parts in COMPONENTS.values() for attack in attacks
    ]  # fmt: skip
    sweep = crossed(f"signguard-table3-{task['task']}", task, rules)
    return Setting(sweep, minutes, note, estimated)


WHOLE, SINGLE = "filter,cluster,clip", ("filter", "cluster", "clip")
BASE = _cells(WHOLE)[2]
SIGNGUARD_TABLE3 = Experiment(
    "signguard-table3", PAPER,
    "SignGuard-Sim with some of its parts, under random, scaled reverse and LIE attacks",
    full=_setting(CIFAR, 60_000),
    quick=_setting(
        SMALL, 2, f"{TEN_SEEDS}; {BESIDE_NOTE}", False,
        (*ATTACKS.values(), *BESIDE),
    ),
    claims=(
        Claim(
            "No single component mitigates all attacks", "Section VI-C",
            _of_the_table(of_worst(
                harms(BEST, BASE, [{PARTS: part} for part in SINGLE], 0.02,
                      "each under what harms it most; Table III loses 46 points and more",
                      "44.48, 25.29, 45.98 of 92.40"),
                BEST, (PARTS,), beside=BASE,
            )),
        ),
        Claim(
            "Thresholding and clipping alone mitigate no attack", "Table III",
            harms(BEST, BASE, [*_cells("filter"), *_cells("clip")], 0.02,
                  "Table III loses 35 points and more", "44.48 to 56.74 of 92.40"),
        ),
        Claim(
            "Clustering alone leaves scaled gradients, which cluster with the honest by sign",
            "Section VI-C",
            higher(BEST, [(_cells("filter,cluster")[1], _cells("cluster")[1])],
                   "92.43 with the threshold, 25.29 without"),
        ),
        Claim(
            "Clustering with clipping or a threshold does what the whole does", "Table III",
            keeps(BEST, BASE, [*_cells("filter,cluster"), *_cells("cluster,clip"), *_cells(WHOLE)],
                  0.01, "Table III: 92.40 to 93.21", "92.40 to 93.21"),
        ),
        Claim("The published cells, one by one", "Table III", agrees((TABLE,))),
    ),
    pictures=(TABLE, Heatmap(PARTS, "attack", BEST, "Best accuracy by parts and attack")),
    choices=(
        *CHOICES,
        "Reverse with scaling: factor 3, and 100 for clustering alone, as the text has it.",
        "A published cell below 90 is one of a broken run: it holds where ours is below 90, too.",
        "Losses are counted from all parts under LIE: Table III has no run without attack.",
    ),
    remarks={
        "fashion-mnist": "All holds but that the threshold and clipping, alone, mitigate no "
        "attack. Losses are counted from all parts under LIE, 0.896. As on digits the threshold "
        "rejects every random row (0.898), and clipping makes them short (0.896); of rows that "
        "are reversed times three the threshold lets 45 % pass and loses one point, clipping all, "
        "and loses 1.7. LIE gets past both, and both runs are lost after 0.749 and 0.750, at "
        "0.377 and 0.100 in the end. Clustering alone withstands random rows and LIE and diverges "
        "under rows reversed times 100. One seed, as in print; 1,440 rounds, the paper's length "
        "for this data.",
        "batch-64": "With batches of 64 clustering withstands flipped signs: 0.961 alone, as much "
        "or more with the others, against 0.944 with the threshold alone, which is where the mean "
        "is, and 0.949 with clipping alone. With batches of 4 it is at 0.936, no better than the "
        "mean (`quick`). It lets 15 % of the flipped rows pass here and rejects 18 % of the "
        "honest, there 26 and 29 %: signs and cosines of small batches tell the two less well "
        "apart. Without attack each part costs 0.3 points of 0.963 at most, for 0.9 to 1.4 there. "
        "Clustering alone falls under rows reversed times 100 (0.916 at best, 0.496 at the end), "
        "as in print. But LIE costs the threshold and clipping nothing that is seen in 120 rounds "
        "of such batches, and no attack costs clipping more than 1.5 points or the threshold more "
        "than 2: so the claims that those alone mitigate nothing cannot hold here.",
        "quick": "The threshold alone removes every random row: N(0, 0.25) in 9,610 coordinates "
        "is 49 long, the median gradient less than 1. So it must in the paper's network, unless "
        "its gradients are longer than 557: in 11,173,962 coordinates the row is 1,671 long. The "
        "47.41 that is printed for it does not follow from the rule in print. Clipping alone "
        "leaves a random row the length of one honest gradient, and a mean of 20 hardly moves. "
        "Reversed rows are clipped to that length, too: of 16 honest and 4 reversed ones 12 "
        "twentieths of the honest mean are left, in its direction. The threshold lets 52 % of the "
        "reversed rows pass, which are at most three median lengths long; so about half of the "
        "honest mean is left there. Against the mean without attack (0.963, signguard-table1) "
        "that costs 1.6 points (threshold) and 2.2 (clipping), with errors of 0.8; against all "
        "parts under LIE (0.944), from which the claims count, nothing. Of 50 workers with 10 "
        "reversed ones clipping leaves the same 0.6, and 54.29 is printed: why it costs so much "
        "there is not known. LIE costs clipping half a point and the threshold 1.7 by that count; "
        "its harm grows with the rounds (signguard-table1). Without attack each part alone costs "
        "0.9 to 1.4 points of the mean's 0.963, and all of them 2.1; under flipped signs, where "
        "the mean is at 0.936, no part and no pair of them is more than 0.3 points from that. "
        "With batches of 64 no part loses more than 0.3 points without attack, and clustering "
        "withstands flipped signs (setting `batch-64`). What the whole and its pairs lose is 0.6 "
        "points at most, where one is allowed, with an error of 0.8: ten seeds do not decide it.",
    },
    others={
        "fashion-mnist": _setting(FASHION, 67, "Fashion-MNIST and the CNN instead of CIFAR-10"),
        "batch-64": _setting(
            LARGER, 2, f"{LARGER_NOTE}; {BESIDE_NOTE}", False, (*ATTACKS.values(), *BESIDE),
        ),
    },
)  # fmt: skip
