"""Sohn et al. 2020, Figs. A.1 to A.4: coded votes above a plain one, in six settings.

One table of settings: the figures differ in nodes, code and what else is wrong with the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from signfed.app.experiments.experiment import Claim, Experiment
from signfed.app.experiments.items.election import (
    BEST,
    CHOICES,
    MV,
    PAPER,
    bernoulli,
    cells,
    deterministic,
    full,
    nodes,
    quick,
)
from signfed.app.experiments.judges import harms, higher, keeps, wider
from signfed.app.experiments.sweep import Keys
from signfed.app.report.pictures import Lines

BY = (
    "strategy", "election.redundancy", "election.noise", "num-workers", "num-byzantine",
)  # fmt: skip
TIES = {"plus": "", "random": " (a coin for ties)", "zero": " (ties abstain, as the authors')"}
# What half batches do to a vote of which some are reversed, computed from independent draws.
HALVED = (
    "Half batches cost about what the code gains with 15 nodes, and two fifths of it with 5 (2.4 "
    "and 2.6 of 6 points, with coins or abstentions); ties and exact zeros that are all +1 cost "
    "1.7 to 1.8 points more with 5, with errors of 1 to 2, and 3.7 with 15, with errors of 4: of "
    "these one seed of ten makes 2.3. On digits, 6 of 15 Byzantine, the plain vote reaches 0.886, "
    "r = 3 with whole batches 0.902 (election-figA4b); with half ones 0.843 where these are +1 "
    "(between 0.81 and 0.91 on nine seeds, and 0.62 on one), but 0.880 with coins and 0.881 with "
    "abstentions, the authors' rule (0.80 and more on each seed). With 2 of 5 it is 0.849 for the "
    "plain vote, 0.904, 0.909 and 0.910 for r = 2.5 with whole batches and ties that are +1, "
    "coins and abstentions (election-tableA1), and with half ones 0.867, 0.885 and 0.883: the "
    "code is above the plain vote but with +1, where this is not decided. Such a tie is wrong no "
    "more often than a coin, but always to the same side, which may add up over rounds. "
    "Independent draws lack that. Where a batch errs in 0.16 of the signs and half a batch in "
    "0.24 (noise as one over the root of the batch), a plain vote of 15 with 6 reversed is wrong "
    "in 0.23, r = 3 in 0.12, and r = 3 with half batches in 0.22; at 0.07 and 0.15 these are "
    "0.09, 0.04 and 0.11. Of 5 with 2 reversed, r = 2.5, they are 0.31, 0.17 and 0.25; and 0.17, "
    "0.08 and 0.16. A gain of 20 points at r_eff = 1.5 needs signs that half a batch hardly harms."
)
SMALLER = (
    "Digits are learned in the end by either vote, so that less than the paper's 20 points is "
    "left between them; the ordering is what this setting can show."
)


def _curves(title: str) -> tuple[Lines, ...]:
    return (Lines("round", "test_accuracy", BY, title),)


def _gap(what: str, where: str, n: int, b: int, code: Keys) -> tuple[Claim, Claim]:
    """A coded vote lies above a plain one, and by over 20 points."""
    (coded,), (plain,) = cells(n, b, [code]), cells(n, b, [MV])
    return (
        Claim(f"{what} is above SignSGD-MV", where, higher(BEST, [(coded, plain)], "above")),
        Claim(
            f"{what} is over 20 points above it", where,
            harms(BEST, coded, [plain], 0.2, "the paper's words", "over 20 points"),
        ),
    )  # fmt: skip


MISMATCH, EXTREME = deterministic(1), bernoulli(3.0)
ELECTION_FIGA1 = Experiment(
    "election-figA1", PAPER,
    "A code that was built for one Byzantine node, with two of five (r = 3.8)",
    full=full("election-figA1", [(nodes(5, 2), (MV, MISMATCH))], 60_000),
    quick=quick("election-figA1", [((5, 2), (MV, MISMATCH))], 0.5),
    claims=_gap("The underestimating code", "A.2, Fig. A.1", 5, 2, MISMATCH),
    remarks={"quick": SMALLER},
    pictures=_curves("n = 5, b = 2, code for 1"), choices=CHOICES,
)  # fmt: skip
ELECTION_FIGA2 = Experiment(
    "election-figA2", PAPER, "Four of nine nodes Byzantine, the most that a vote allows",
    full=full("election-figA2", [(nodes(9, 4), (MV, bernoulli(2.0), EXTREME))], 150_000),
    quick=quick("election-figA2", [((9, 4), (MV, bernoulli(2.0), EXTREME))], 0.5),
    claims=_gap("The Bernoulli code with r = 3", "A.3, Fig. A.2", 9, 4, EXTREME),
    remarks={"quick": SMALLER},
    pictures=_curves("n = 9, b = 4"),
    choices=(*CHOICES, "r = 2 stands beside r = 3; the text names no r for this figure but 3."),
)  # fmt: skip
HALF_5, HALF_15 = (bernoulli(r, batch=0.5, tie="plus") for r in (2.5, 3.0))


def _ties(code: Keys) -> list[Keys]:
    """The code under each tie rule, in the order of `TIES`."""
    return [{**code, "election.tie": tie} for tie in TIES]


def _gaps(what: str, where: str, n: int, b: int, code: Keys) -> Iterator[Claim]:
    for tied, said in zip(_ties(code), TIES.values(), strict=True):
        yield from _gap(what + said, where, n, b, tied)


def _curves_of_ties(title: str, split: str) -> tuple[Lines, ...]:
    return (Lines("round", "test_accuracy", ("strategy", "election.tie"), title, split=split),)


def _above(what: str, where: str, n: int, b: int, code: Keys, other: Keys) -> Iterator[Claim]:
    """Under each tie rule the code lies above another rule."""
    (low,) = cells(n, b, [other])
    for high, said in zip(cells(n, b, _ties(code)), TIES.values(), strict=True):
        yield Claim(what + said, where, higher(BEST, [(high, low)], "above"))


ELECTION_FIGA3 = Experiment(
    "election-figA3", PAPER, "Half batches: effective redundancy 1.25 and 1.5",
    full=full(
        "election-figA3",
        [(nodes(5, 2), (MV, *_ties(HALF_5))), (nodes(15, 6), (MV, *_ties(HALF_15)))], 430_000,
    ),
    quick=quick(
        "election-figA3", [((5, 2), (MV, *_ties(HALF_5))), ((15, 6), (MV, *_ties(HALF_15)))], 2
    ),
    claims=(
        *_gaps("The code with r_eff = 1.25", "A.4, Fig. A.3", 5, 2, HALF_5),
        *_gaps("The code with r_eff = 1.5", "A.4, Fig. A.3", 15, 6, HALF_15),
    ),
    remarks={"quick": HALVED},
    pictures=_curves_of_ties("rho = 0.5", "num-workers"),
    choices=(*CHOICES, "Byzantine nodes: 2 of 5 and 6 of 15; the text names n alone."),
)  # fmt: skip
ELECTION_FIGA4A = Experiment(
    "election-figA4a", PAPER, "A larger network (ResNet-50), effective redundancy 1.5",
    full=full(
        "election-figA4a", [(nodes(15, 6, batch=64), (MV, *_ties(HALF_15)))], 880_000,
        model="resnet-50",
    ),
    quick=quick("election-figA4a", [((15, 6), (MV, *_ties(HALF_15)))], 1,
                "; the runs of figA3 with 15 nodes: digits have no larger network"),
    claims=tuple(
        _above(
            "The code is still effective: above SignSGD-MV", "A.5, Fig. A.4a", 15, 6, HALF_15, MV
        )
    ),
    remarks={"quick": HALVED},
    pictures=_curves_of_ties("b = 6", "num-workers"), choices=CHOICES,
)  # fmt: skip


def _noisy(noise: float) -> tuple[Keys, Keys]:
    """A plain vote (the code for nobody: each node its own partition) and a Bernoulli one."""
    return (
        {**deterministic(0), "election.noise": noise}, bernoulli(3.0, noise=noise),
    )  # fmt: skip


NOISE, SMALL_NOISE = 1e-4, 0.004


def _noise_claims(noise: float) -> tuple[Claim, ...]:
    (plain, coded), (quiet_plain, quiet_coded) = _noisy(noise), _noisy(0.0)
    a, b, c, d = cells(15, 6, (quiet_coded, coded, quiet_plain, plain))
    return (
        Claim(
            f"The Bernoulli code tolerates noise of deviation {noise:g}",
            "A.5, Fig. A.4b",
            keeps(BEST, a, [b], 0.02, "ours: the figure has no numbers", "tolerates it well"),
        ),
        Claim(
            f"Uncoded SignSGD-MV does not (deviation {noise:g})",
            "A.5, Fig. A.4b",
            harms(BEST, c, [d], 0.02, "above what the code may lose", "cannot"),
        ),
    )


ELECTION_FIGA4B = Experiment(
    "election-figA4b", PAPER, "Noise on the gradients of the partitions",
    full=full("election-figA4b", [(nodes(15, 6), (*_noisy(0.0), *_noisy(NOISE)))], 200_000),
    quick=quick("election-figA4b", [((15, 6), (*_noisy(0.0), *_noisy(SMALL_NOISE)))], 1,
                "; noise of deviation 0.004, as large as a coordinate of these gradients"),
    claims=(*_noise_claims(NOISE), *_noise_claims(SMALL_NOISE)),
    remarks={
        "quick": "The order is the published one: noise costs the code nothing that ten seeds "
        "show and the plain vote 1.7 points. That is below the two points that we ask for, with "
        "an error of 0.4; more noise was not tried.",
    },
    pictures=_curves("n = 15, b = 6, with and without noise"),
    choices=(
        *CHOICES,
        "Deviation 1e-4: the text says variance 1e-8; the authors' flag named variance is the "
        "deviation.",
        "All holders of a partition add the same noise; the text does not say.",
        "The uncoded vote with noise is the deterministic code for b = 0, in which each node has "
        "its own partition.",
    ),
)  # fmt: skip
FGM: Keys = {"strategy": "median", "attack": "sign-flip", "lr": 0.1, "momentum": 0.9}
FGM_QUICK: Keys = {**FGM, "lr": 0.05}


def _medians(sizes: Sequence[tuple[int, int]]) -> list[tuple[Keys, Sequence[Keys]]]:
    return [(nodes(n, b), (FGM, *_ties(HALF_15))) for n, b in sizes]


def _beside_the_median(b: int, code: Keys) -> tuple[Keys, Keys]:
    coded, median = cells(15, b, [code, {"strategy": "median"}])
    return coded, median


def _wider_gaps() -> Iterator[Claim]:
    what = "With b = 3 the median performs relatively better: the gap is wider with b = 6"
    for code, said in zip(_ties(HALF_15), TIES.values(), strict=True):
        six, three = (_beside_the_median(b, code) for b in (6, 3))
        yield Claim(what + said, "A.6", wider(BEST, six, three, "wider with b = 6"))


ELECTION_FIGA4C = Experiment(
    "election-figA4c", PAPER, "Median of full gradients, at 32 bits, beside coded signs, at one",
    full=full("election-figA4c", _medians([(15, 3), (15, 6)]), 440_000),
    quick=quick("election-figA4c", [((15, b), (FGM_QUICK, *_ties(HALF_15))) for b in (3, 6)], 2),
    claims=(
        *(
            claim
            for b in (3, 6)
            for claim in _above(
                f"With b = {b} the code is above the median of full gradients", "A.6, Fig. A.4c",
                15, b, HALF_15, {"strategy": "median"},
            )
        ),
        *_wider_gaps(),
    ),
    remarks={
        "quick": f"{HALVED} With b = 3 the median of full gradients, at 32 bits, stays above the "
        "code under each tie rule. Half batches are one reason: by a sweep with the keys of this "
        "page (ties as +1), with b = 3 the plain vote reaches 0.926 and r = 3 with whole batches "
        "0.925, as much as the median. The rates are another, and both are ours: 0.001 in place "
        "of 0.0003 brings the code with half batches to 0.934 and, with b = 6, to 0.891; 0.1 in "
        "place of 0.05 the median to 0.943 and 0.903, 0.2 to 0.951 and 0.905 (seeds 0 to 4). So "
        "with each at its better rate the median is above with b = 3, and with b = 6 it is not "
        "decided. Nor is it whether the gap is wider with b = 6: one seed of ten makes two fifths "
        "of the error: with +1 one at 0.62, with the others one at 0.80.",
    },
    pictures=_curves_of_ties("n = 15, coded signs and the median of gradients", "num-byzantine"),
    choices=(
        *CHOICES,
        "The median's rate is ours, 0.1 in full and 0.05 in the quick setting: that of sign "
        "descent, 1e-4, means nothing for gradients.",
    ),
)  # fmt: skip
