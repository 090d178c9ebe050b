"""Judges of margins, limits, rounds, published tables and worst cases: each can fail."""

import math

import pytest

from signfed.app.experiments.judges import (
    above_in_rounds,
    agrees,
    at_most,
    grows,
    harms,
    higher,
    keeps,
    nowhere_below,
    of_worst,
    sooner,
    worst_rows,
)
from signfed.app.report.pictures import PublishedTable, within
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED

BASE, A, B = {"rule": "mean"}, {"rule": "a"}, {"rule": "b"}


def rows(**scores):
    """One row a seed for each rule: its scores in the order of the seeds."""
    return [
        {"rule": rule, "seed": seed, "status": "finished", "score": score}
        for rule, found in scores.items() for seed, score in enumerate(found)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "a, b, says",
    [
        ([0.89], [0.85], HOLDS),
        ([0.89], [0.843], UNDECIDED),  # one seed: 0.002 beyond, published cells vary by 0.003
        ([0.89], [0.84], FAILS),
        ([0.95], [0.95], HOLDS),
    ],
)
def test_keeps_what_is_within(a, b, says):
    verdict = keeps("score", BASE, [A, B], 0.055, "why", "says")(rows(mean=[0.9], a=a, b=b))
    assert verdict.says == says and verdict.published == "says" and "why" in verdict.tolerance


def test_a_loss_of_exactly_what_is_allowed_is_within():
    judge = keeps("score", BASE, [A], 0.5, "why", "says")
    assert judge(rows(mean=[1.0, 1.0], a=[0.5, 0.5])).says == HOLDS


@pytest.mark.parametrize(
    "a, b, says",
    [([0.5], [0.6], HOLDS), ([0.5], [0.851], UNDECIDED), ([0.5], [0.86], FAILS)],
)
def test_harms_what_falls_by_more(a, b, says):
    assert harms("score", BASE, [A, B], 0.05, "", "")(rows(mean=[0.9], a=a, b=b)).says == says


@pytest.mark.parametrize("kind", [keeps, harms])
@pytest.mark.parametrize("within", [0.05, 0.15])
def test_what_is_within_the_error_of_the_seeds_is_not_decided(kind, within):
    """Losses 0.0 and 0.2: their mean is 0.1, and its one-sided 95 % error 6.314 x 0.1."""
    noisy = rows(mean=[0.9, 0.9], a=[0.9, 0.7])
    assert kind("score", BASE, [A], within, "", "")(noisy).says == UNDECIDED
    sure = rows(mean=[0.9, 0.9], a=[0.8, 0.8])
    expected = HOLDS if (kind is keeps) == (within > 0.1) else FAILS
    assert kind("score", BASE, [A], within, "", "")(sure).says == expected


def test_the_largest_loss_is_shown_and_what_decides_is_named():
    """a loses most, but by nobody knows how much; b loses less, and surely."""
    found = rows(mean=[0.9, 0.9], a=[0.9, 0.5], b=[0.8, 0.8])
    verdict = keeps("score", BASE, [A, B], 0.05, "why", "")(found)
    assert verdict.says == FAILS
    assert verdict.ours.endswith("of 2 cells the largest loss 0.200 (a), 1 beyond: b 0.100")
    assert verdict.tolerance.startswith("0.05 (why) ± 1.263 (one-sided 95 %")


def test_each_cell_beside_its_own_base():
    """a is 0.3 below the mean, but 0.005 below b."""
    found = rows(mean=[0.9], a=[0.6], b=[0.605])
    assert nowhere_below("score", [(B, A), (BASE, BASE)], 0.01, "", "")(found).says == HOLDS
    assert nowhere_below("score", [(B, A), (BASE, B)], 0.01, "", "")(found).says == FAILS


@pytest.mark.parametrize(
    "a, says",
    [([0.01, 0.01], HOLDS), ([0.02, 0.02], FAILS), ([0.0, 0.018], UNDECIDED)],
)
def test_at_most(a, says):
    assert at_most("score", [A, B], 0.01, "", "")(rows(a=a)).says == says


@pytest.mark.parametrize(
    "judge", [keeps("score", BASE, [A], 0.1, "", ""), harms("score", BASE, [A], 0.1, "", ""),
              at_most("score", [A], 0.1, "", "")],
)  # fmt: skip
def test_what_did_not_run_is_untried(judge):
    assert judge([]).says == NOT_TRIED and judge(rows(mean=[0.9])).says == NOT_TRIED
    failed = [row | {"status": "failed", "score": None} for row in rows(a=[0.1])]
    assert judge(rows(mean=[0.9]) + failed).says == NOT_TRIED


def test_a_run_that_diverged_has_lost_everything():
    gone = [*rows(mean=[0.9]), {"rule": "a", "seed": 0, "status": "diverged"}]
    assert harms("score", BASE, [A], 0.8, "", "")(gone).says == HOLDS
    assert keeps("score", BASE, [A], 0.8, "", "")(gone).says == FAILS


def test_above_in_every_round():
    judge = above_in_rounds("x", "y", "")
    found = [{"x": 0.6, "y": 0.5}, {"x": 0.6, "y": 0.3}, {"other": 1}]
    assert judge(found).says == HOLDS and judge([*found, {"x": 0.5, "y": 0.5}]).says == FAILS
    assert judge([]).says == NOT_TRIED


def curve(rule, *accuracies, seed=0):
    return [
        {"rule": rule, "seed": seed, "round": 10 * t, "test_accuracy": x}
        for t, x in enumerate(accuracies, 1)
    ]


def twice(rows):
    return [row | {"seed": seed} for seed in (0, 1) for row in rows]


@pytest.mark.parametrize(
    "a, b, says",
    [
        ((0.3, 0.6), (0.1, 0.6), HOLDS),  # 0.3 sooner, 0.6 in as many rounds
        ((0.1, 0.6), (0.3, 0.6), FAILS),  # 0.3 later
        ((0.3, 0.6), (0.3, 0.6), UNDECIDED),  # both in as many rounds
        ((0.1, 0.1, 0.6), (0.3, 0.5, 0.5), FAILS),  # by two
        ((0.3, 0.6), (0.3, 0.4), HOLDS),  # 0.6 against never
        ((0.3, 0.4), (0.3, 0.6), FAILS),
        ((0.1, 0.1), (0.2, 0.2), NOT_TRIED),  # neither reaches anything
    ],
)
def test_sooner(a, b, says):
    found = curve("a", *a) + curve("b", *b)
    judge = sooner([(A, B)], [0.3, 0.6], "")
    assert judge(twice(found)).says == says
    assert judge(found).says == (says if says == NOT_TRIED else UNDECIDED)  # one seed decides none


def test_later_on_one_seed_of_three_is_not_later():
    """88 %: a is sooner on each; 60 %: by one evaluation later on seed 0 alone."""
    found = curve("a", 0.3, 0.6, 0.88) + curve("b", 0.6, 0.7, 0.7, 0.88)
    for seed in (1, 2):
        found += curve("a", 0.6, 0.88, seed=seed) + curve("b", 0.6, 0.7, 0.88, seed=seed)
    assert sooner([(A, B)], [0.6, 0.88], "")(found).says == HOLDS
    assert sooner([(A, B)], [0.6], "")(found).says == UNDECIDED  # nor is it sooner


def test_one_run_that_never_arrives_does_not_make_the_others_later():
    """Nine of ten seeds are equal; the tenth counts as round 50, after the last of 40."""
    found = [row for s in range(10) for row in curve("a", 0.1, 0.1, 0.6, 0.6, seed=s)]
    found += [row for s in range(9) for row in curve("b", 0.1, 0.1, 0.6, 0.6, seed=s)]
    found += curve("b", 0.1, 0.1, 0.1, 0.1, seed=9)
    verdict = sooner([(A, B)], [0.6], "")(found)
    assert verdict.says == UNDECIDED
    assert verdict.ours == "60%: 30 rounds against at least 32 rounds (9 of 10 seeds)"
    assert sooner([(B, A)], [0.6], "")(found).says == UNDECIDED


def test_one_evaluation_is_enough_to_be_sooner():
    found = twice(curve("a", 0.6) + curve("b", 0.1))
    verdict = sooner([(A, B)], [0.6], "")(found)
    assert verdict.says == HOLDS and verdict.ours == "60%: 10 rounds against never"


def test_a_speedup_that_grows():
    """Few: 20 rounds for 10 and 30 for 20; many: 40 for 10, and never (50, after the last)."""
    few, many = ({"rule": "few"}, {"rule": "many"})
    fast = {"rule": "fast"}
    settings = [(few, [fast], [0.3, 0.6]), (many, [fast], [0.3, 0.6])]
    found = []
    for seed in (0, 1):
        found += curve("fast", 0.3, 0.6, 0.6, 0.6, seed=seed)
        found += curve("few", 0.1, 0.3, 0.6, 0.6, seed=seed)
        found += curve("many", 0.1, 0.1, 0.1, 0.3, seed=seed)
    verdict = grows(settings, "")(found)
    assert verdict.says == HOLDS and verdict.ours == "1.73 x, 3.16 x"  # roots of 3 and of 10
    assert grows(settings[::-1], "")(found).says == FAILS
    assert grows(settings[:1], "")(found).says == NOT_TRIED
    one = [row for row in found if row["seed"] == 0]
    assert grows(settings, "")(one).says == UNDECIDED
    apart = [row | {"seed": 2} if row["rule"] == "many" else row for row in one]
    apart += curve("fast", 0.3, 0.6, 0.6, 0.6, seed=2)
    assert grows(settings, "")(apart).says == NOT_TRIED  # no seed in common


def test_of_several_pairs_the_worst_counts():
    found = twice(curve("a", 0.6) + curve("b", 0.1, 0.6) + curve("c", 0.1, 0.6))
    assert sooner([(A, B)], [0.6], "")(found).says == HOLDS
    assert sooner([(A, B), ({"rule": "c"}, B)], [0.6], "")(found).says == UNDECIDED
    assert sooner([(A, B), (B, A)], [0.6], "")(found).says == FAILS


def test_sooner_counts_the_mean_over_the_seeds():
    found = curve("a", 0.1, 0.1, 0.1, 0.6) + curve("b", 0.6)
    found += curve("a", 0.6, seed=1) + curve("b", 0.6, seed=1)
    verdict = sooner([(A, B)], [0.6], "")(found)
    assert verdict.says == UNDECIDED and verdict.ours == "60%: 25 rounds against 10 rounds"


def test_published_cells_hold_one_by_one():
    table = PublishedTable(
        "rule", "attack", "score", {("a", "x"): 90.0, ("b", "x"): 20.0}, judge=within(0.5, 50.0)
    )
    judge = agrees([table])
    near = {"rule": "a", "attack": "x", "score": 0.897}
    assert judge([]).says == NOT_TRIED and judge([near]).says == HOLDS
    assert judge([near, {"rule": "b", "attack": "x", "score": 0.4}]).says == HOLDS
    assert judge([near | {"status": "diverged"}]).says == FAILS  # and counts as 0
    assert judge([{"rule": "b", "attack": "x", "status": "diverged"}]).says == HOLDS
    failed = judge([near | {"score": 0.8}, {"rule": "b", "attack": "x", "score": 0.8}])
    assert failed.says == FAILS and failed.ours == "0 of 2 hold; not: a x, b x"


def test_the_worst_attack_is_that_with_the_lowest_mean_and_a_diverged_run_counts_as_0():
    found = [
        {"f": f, "attack": attack, "seed": seed, "score": score}
        for f, attack, scores in (
            (1, "x", (0.9, 0.1)), (1, "y", (0.4, 0.4)), (2, "x", (0.2, 0.2)), (2, "y", (0.3, 0.3)),
        )
        for seed, score in enumerate(scores)
    ]  # fmt: skip
    worst = worst_rows(found, "score", ["f"])
    assert [(row["f"], row["attack"], row["seed"]) for row in worst] == [
        (1, "y", 0), (1, "y", 1), (2, "x", 0), (2, "x", 1),
    ]  # fmt: skip
    gone = [{"f": 1, "attack": "z", "seed": 0, "score": 0.9, "status": "diverged"}]
    assert worst_rows(found + gone, "score", ["f"])[0]["attack"] == "z"
    beside = {"f": 1, "attack": "y"}  # stays, though it is not the worst
    both = of_worst(higher("score", [(beside, {"f": 2})], ""), "score", ["f"], beside=beside)
    assert both(found).ours.startswith("0.400 ")
    judge = of_worst(at_most("score", [{"f": 1}], 0.45, "", ""), "score", ["f"])
    assert judge(found).says == HOLDS and math.isclose(0.4, float(judge(found).ours.split()[5]))
