"""Judges of margins, limits, published tables and worst cases: each can fail."""

import math

import pytest

from signfed.app.experiments.judges import (
    agrees,
    at_most,
    harms,
    higher,
    in_order,
    keeps,
    nowhere_below,
    of_worst,
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
    lost = [near, near | {"status": "failed", "score": 0.1}]  # nobody knows what it would have been
    assert judge(lost).says == NOT_TRIED and judge(lost).ours == "0 of 1 hold; not decided: a x"
    assert judge([*lost, {"rule": "b", "attack": "x", "score": 0.8}]).says == FAILS
    assert judge([near | {"status": "failed"}]).says == NOT_TRIED
    other = {"rule": "b", "attack": "x", "score": 0.4}  # which holds
    assert judge([near | {"status": "failed"}, other]).says == NOT_TRIED


@pytest.mark.parametrize(
    ("published", "scores", "says"),
    [
        (90.0, (0.80, 0.82), FAILS), (90.0, (0.60, 0.99), UNDECIDED),  # beyond and within the error
        (90.0, (0.90, 0.902, 0.901), HOLDS), (90.0, (0.89, 0.91), UNDECIDED),
        (20.0, (0.30, 0.32), HOLDS), (20.0, (0.10, 0.60), UNDECIDED), (20.0, (0.8, 0.81), FAILS),
    ],
)  # fmt: skip
def test_a_published_cell_is_not_decided_within_the_error_of_our_seeds(published, scores, says):
    table = PublishedTable(
        "rule", "attack", "score", {("a", "x"): published}, judge=within(0.5, 50.0)
    )
    found = [{"rule": "a", "attack": "x", "score": score} for score in scores]
    verdict = agrees([table])(found)
    assert verdict.says == says
    named = {HOLDS: "", FAILS: "; not: a x", UNDECIDED: "; not decided: a x"}[says]
    assert verdict.ours == f"{int(says == HOLDS)} of 1 hold{named}"


def test_of_a_run_that_diverged_what_its_rounds_counted_is_kept():
    """A model that broke because every Byzantine row was accepted: 0 of them would hold."""
    gone = {"rule": "a", "attack": "x", "status": "diverged"}
    table = PublishedTable("rule", "attack", "byzantine_accepted", {("a", "x"): 0.0})
    assert agrees([table])([gone | {"byzantine_accepted": 1.0}]).says == FAILS
    assert agrees([table])([gone | {"byzantine_accepted": 0.0}]).says == HOLDS
    assert agrees([table])([gone]).says == NOT_TRIED  # nothing was counted


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


@pytest.mark.parametrize("failed", [(1, 2), (0, 1, 2)])
def test_the_worst_of_attacks_of_which_a_run_failed_is_not_known(failed):
    """y ends at 0.8; x may have ended anywhere, and in another cell all is known."""
    ran = [
        {"f": f, "attack": name, "seed": seed, "acc": acc, "status": "finished"}
        for f in (1, 2) for name, acc in (("x", 0.95), ("y", 0.8)) for seed in range(3)
    ]  # fmt: skip
    for row in ran:
        if row["f"] == 1 and row["attack"] == "x" and row["seed"] in failed:
            row["status"] = "failed"
    for f, says in ((1, NOT_TRIED), (2, HOLDS)):
        judge = at_most("acc", [{"f": f}], 0.85, "why", "says")
        assert of_worst(judge, "acc", ["f"])(ran).says == says
    table = PublishedTable("f", "task", "acc", {(1, None): 80.0, (2, None): 80.0})
    cells = table.cells(worst_rows(ran, "acc", ["f"]))
    assert [cell.verdict for cell in cells] == [UNDECIDED, HOLDS]


def test_the_order_of_broken_cells_pair_by_pair():
    """Below 90 a run is broken: no pair is of "none", nor are 60 and 59.8 apart enough."""
    printed = {("a", "lie"): 99.0, ("b", "lie"): 60.0, ("c", "lie"): 59.8, ("d", "lie"): 30.0,
               ("b", "none"): 98.0, ("c", "none"): 95.0}  # fmt: skip
    table = PublishedTable("rule", "attack", "best_test_accuracy", printed)

    def ran(**best):
        rows = [{"rule": rule, "attack": attack, "seed": seed, "best_test_accuracy": value / 100}
                for rule, values in best.items() for attack in ("lie", "none")
                for seed, value in enumerate(values)]  # fmt: skip
        return in_order([(table, 90.0)])(rows)

    as_printed = ran(a=[99], b=[60], c=[59.8], d=[30])
    assert (as_printed.says, as_printed.ours) == (HOLDS, "5 of 5 pairs hold")
    turned = ran(a=[99], b=[20], c=[70], d=[30])
    assert (turned.says, turned.ours) == (FAILS, "4 of 5 pairs hold; not: b above d under lie")
    close = ran(a=[99], b=[30.2], c=[70], d=[30])
    assert close.says == UNDECIDED and close.ours.endswith("not decided: b above d under lie")
    seeds = ran(a=[99, 98], b=[60, 61], c=[50, 51], d=[52, 40])  # d: -8, -21; -2, 11
    assert seeds.ours == "3 of 5 pairs hold; not decided: b above d under lie, c above d under lie"
    assert ran(b=[60]).says == NOT_TRIED
    cell = {"attack": "lie", "best_test_accuracy": 0.5}
    failed = [
        cell | {"rule": rule, "status": status}
        for rule, status in (("a", "finished"), ("b", "finished"), ("b", "failed"))
    ]
    assert in_order([(table, 90.0)])(failed).says == NOT_TRIED
