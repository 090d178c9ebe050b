"""Judges: hand-made rows on which each claim holds, and rows that break it."""

from __future__ import annotations

import math

import pytest

from signfed.app.experiments import judges
from signfed.app.experiments.estimates import difference, estimate, mean_of, of_one
from signfed.app.report.pictures import PublishedTable
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED

A, B, C = {"f": 0}, {"f": 1}, {"f": 2}


def rows(**by_f):
    """Rows of one cell an argument, f0=..., one row a seed."""
    return [
        {"f": int(name[1:]), "seed": seed, "status": "finished", "acc": value}
        for name, values in by_f.items()
        for seed, value in enumerate(values)
    ]


def test_an_error_is_students_t_times_the_standard_error():
    """Values 1, 2, 3: sd 1, se 1/sqrt(3), t(2) = 2.920; the table is that of the t distribution."""
    assert estimate([1.0, 2.0, 3.0]).error == pytest.approx(2.920 / math.sqrt(3))
    assert estimate([1.0, 3.0]).error == pytest.approx(6.314)
    assert estimate([5.0]).error == 0.0


@pytest.mark.parametrize(
    "count, t",
    [(4, 2.353), (5, 2.132), (6, 2.015), (7, 1.943), (8, 1.895), (9, 1.860), (10, 1.833),
     (11, 1.812), (16, 1.753), (21, 1.725), (22, 1.645), (30, 1.645)],
)  # fmt: skip
def test_more_seeds_are_surer(count, t):
    """Of 0 .. n-1 the variance is n (n + 1) / 12; from 22 on the normal law's quantile."""
    error = t * math.sqrt((count + 1) / 12)
    assert estimate([float(i) for i in range(count)]).error == pytest.approx(error)


def test_one_seed_of_a_small_test_set_is_less_sure_by_the_root_of_its_size():
    assert of_one("acc", [{"task": "digits"}]) == pytest.approx(0.003 * math.sqrt(10_000 / 360))


def test_two_runs_that_diverged_are_alike():
    ran = [{"f": f, "seed": 0, "status": "diverged", "final_test_loss": None} for f in (0, 1)]
    assert difference(ran, "final_test_loss", A, B).mean == 0.0


def test_differences_are_taken_seed_by_seed():
    """Seeds move both cells together: the difference is exact though each mean is not."""
    found = difference(rows(f0=[0.9, 0.7, 0.5], f1=[0.8, 0.6, 0.4]), "acc", A, B)
    assert found.mean == pytest.approx(0.1) and found.error == pytest.approx(0.0, abs=1e-12)
    one_missing = rows(f0=[0.9, 0.7], f1=[0.8])
    assert difference(one_missing, "acc", A, B).count == 1


def test_a_run_that_diverged_counts_as_the_worst_and_one_that_failed_leaves_no_mean():
    ran = [
        {"seed": 0, "status": "diverged", "final_test_accuracy": None, "final_test_loss": None},
        {"seed": 1, "status": "failed"},
    ]
    assert mean_of(ran[:1], "final_test_accuracy", {}).mean == 0.0
    assert mean_of(ran[:1], "final_test_loss", {}).mean == math.inf
    assert mean_of(ran, "final_test_accuracy", {}) is None
    failed = {"seed": 1, "status": "failed", "final_test_accuracy": 0.9}  # of its last evaluation
    assert mean_of([failed], "final_test_accuracy", {}) is None


def test_the_best_of_a_run_that_diverged_is_what_it_had_reached():
    """One that was never evaluated had reached nothing."""
    best = "best_test_accuracy"
    ran = [{"seed": 0, "status": "diverged", best: 0.6, "final_test_accuracy": 0.5},
           {"seed": 1, "status": "diverged"}]  # fmt: skip
    assert mean_of(ran, best, {}).mean == pytest.approx(0.3)
    assert mean_of(ran, "final_test_accuracy", {}).mean == 0.0
    table = PublishedTable("seed", "status", best, {(0, "diverged"): 60.0, (1, "diverged"): 10.0})
    assert [(cell.ours, cell.verdict) for cell in table.cells(ran)] == [(60.0, HOLDS), (0.0, FAILS)]


def test_a_run_without_a_score_counts_as_nothing_left():
    """x: 0.5 and none, 0.25 on average; y: 0.4."""
    ran = [
        {"f": 1, "attack": name, "seed": seed, "status": "finished", "acc": score}
        for name, scores in (("x", (0.5, None)), ("y", (0.4, 0.4)))
        for seed, score in enumerate(scores)
    ]
    assert {row["attack"] for row in judges.worst_rows(ran, "acc", ["f"])} == {"x"}


def test_an_ordering_of_one_seed_has_to_be_beyond_the_noise_of_published_cells():
    for gap, says in ((0.002, UNDECIDED), (0.004, HOLDS), (-0.004, FAILS)):
        assert HIGHER(rows(f0=[0.9 + gap]) + rows(f1=[0.9])).says == says


@pytest.mark.parametrize(
    "column, task, says",
    [
        ("acc", "mnist", FAILS),  # 0.01 below, of 10,000 images
        ("acc", "digits", UNDECIDED),  # of 360: 3.6 images
        ("final_test_loss", "mnist", UNDECIDED),
        ("honest_rejected", "mnist", UNDECIDED),  # by less than between seeds
        ("uplink_bits_per_parameter", "mnist", FAILS),  # bits are counted
    ],
)
def test_one_seed_is_as_sure_as_what_was_measured(column, task, says):
    judge = judges.higher(column, [(A, B)], "above")
    ran = [
        {"f": f, "seed": 0, "task": task, column: 0.5 + 0.01 * f, "status": "finished"}
        for f in (0, 1)
    ]
    assert judge(ran).says == says and ("one seed" in judge(ran).tolerance)


@pytest.mark.parametrize("f1, says", [(0.84, HOLDS), (0.848, UNDECIDED), (0.86, FAILS)])
def test_much_higher_is_higher_by_more_than_a_margin(f1, says):
    judge = judges.higher("acc", [(A, B)], "much", beyond=0.05, reason="why")
    verdict = judge(rows(f0=[0.9], f1=[f1]))
    assert verdict.says == says and verdict.tolerance.startswith("more than 0.05 (why); one seed")


def test_a_gap_that_is_wider_than_another():
    wider = judges.wider("acc", (A, B), (A, C), "wider")
    found = rows(f0=[0.9, 0.8], f1=[0.7, 0.6], f2=[0.8, 0.7])
    assert wider(found).says == HOLDS and wider(found).ours.startswith("0.200 ± 0.000 against 0.1")
    assert judges.wider("acc", (A, C), (A, B), "wider")(found).says == FAILS
    noisy = rows(f0=[0.9, 0.8], f1=[0.5, 0.8], f2=[0.8, 0.7])
    assert wider(noisy).says == UNDECIDED and wider(rows(f0=[0.9], f1=[0.8])).says == NOT_TRIED


def test_two_cells_under_one_name_are_an_error_of_the_judge():
    with pytest.raises(ValueError, match="expected one cell with seed 0"):
        mean_of(rows(f0=[0.5]) + rows(f0=[0.6]), "acc", A)


# judge, rows on which the claim holds, rows that break it, rows without a cell that it needs
HIGHER = judges.higher("acc", [(A, B)], "above")
ALIKE = judges.alike("acc", A, [B, C], "the same")
LEVEL = judges.alike("acc", A, [B], "the same", rises=True)
FALLS = judges.falls("acc", [A, B, C], "falls")
LEARNS = judges.learns("acc", [B], A, 0.1, "learns")
FAILS_TO = judges.learns("acc", [B], A, 0.1, "fails", fails=True)
NEAR = judges.near("acc", A, 92.5, scale=100)
MISSING = [{"f": 0, "seed": 0, "status": "missing"}, {"f": 1, "seed": 0, "status": "missing"}]


@pytest.mark.parametrize(
    "judge, holds, breaks",
    [
        pytest.param(HIGHER, rows(f0=[0.9, 0.91], f1=[0.8, 0.81]), rows(f0=[0.8], f1=[0.9]),
                     id="higher"),
        pytest.param(ALIKE, rows(f0=[0.9], f1=[0.898], f2=[0.95]), rows(f0=[0.9], f1=[0.89]),
                     id="alike"),
        pytest.param(LEVEL, rows(f0=[0.9], f1=[0.902]), rows(f0=[0.9], f1=[0.95]), id="level"),
        pytest.param(FALLS, rows(f0=[0.9], f1=[0.8], f2=[0.1]), rows(f0=[0.9], f1=[0.95], f2=[0.1]),
                     id="falls, but a step rises"),
        pytest.param(LEARNS, rows(f0=[0.9], f1=[0.6]), rows(f0=[0.9], f1=[0.4]), id="learns"),
        pytest.param(FAILS_TO, rows(f0=[0.9], f1=[0.4]), rows(f0=[0.9], f1=[0.6]), id="fails"),
        pytest.param(NEAR, rows(f0=[0.923]), rows(f0=[0.918]), id="near"),
    ],
)  # fmt: skip
def test_a_judge_says_both(judge, holds, breaks):
    assert judge(holds).says == HOLDS
    assert judge(breaks).says == FAILS
    assert judge(MISSING).says == NOT_TRIED and judge([]).says == NOT_TRIED


def test_a_claim_on_cells_of_which_one_is_lost_was_not_tried():
    lost = [{"f": 2, "seed": 0, "status": "failed"}]
    both = judges.learns("acc", [B, C], A, 0.1, "learns")
    most = judges.at_most("acc", [A, B, C], 1.0, "why", "says")
    found = rows(f0=[0.9], f1=[0.899])
    for judge in (ALIKE, both, most):
        assert judge(found).says == HOLDS and judge(found + lost).says == NOT_TRIED


def test_a_step_that_rises_by_less_than_noise_is_no_rise():
    assert FALLS(rows(f0=[0.9], f1=[0.8], f2=[0.801])).says == HOLDS


def test_a_gain_is_no_loss_however_noisy():
    assert ALIKE(rows(f0=[0.9, 0.9, 0.9], f1=[0.94, 0.95, 0.96])).says == HOLDS
    assert LEVEL(rows(f0=[0.9, 0.9, 0.9], f1=[0.94, 0.95, 0.96])).says == FAILS


def test_one_number_of_one_seed_is_as_sure_as_published_ones():
    for ours, says in (
        (0.9305, HOLDS),
        (0.932, FAILS),
    ):  # 0.3 points of noise, and as many of error
        assert NEAR(rows(f0=[ours])).says == says


@pytest.mark.parametrize(
    "judge, open_",
    [
        pytest.param(HIGHER, rows(f0=[0.9, 0.9], f1=[0.95, 0.8]), id="higher"),
        pytest.param(ALIKE, rows(f0=[0.9, 0.9], f1=[0.91, 0.89]), id="alike"),
        pytest.param(FALLS, rows(f0=[0.9, 0.9], f2=[0.8, 0.95]), id="falls"),
        pytest.param(LEARNS, rows(f0=[0.9], f1=[0.9, 0.4]), id="learns"),
        pytest.param(FAILS_TO, rows(f0=[0.9], f1=[0.1, 0.7]), id="fails"),
        pytest.param(NEAR, rows(f0=[0.915, 0.935]), id="near"),
    ],
)
def test_what_the_seeds_leave_open_is_not_decided(judge, open_):
    """The means are on the claim's side, and their errors larger than what it is about."""
    assert judge(open_).says == UNDECIDED


def test_several_together():
    both = judges.every(HIGHER, LEARNS)
    good = rows(f0=[0.9], f1=[0.8])
    assert both(good).says == HOLDS
    assert both(rows(f0=[0.9], f1=[0.2])).says == FAILS
    assert both(rows(f0=[0.9])).says == NOT_TRIED
    assert both(rows(f0=[0.9, 0.9], f1=[0.95, 0.8])).says == UNDECIDED
    each = judges.each_of("task", HIGHER)
    tasks = [row | {"task": task} for task in "ab" for row in good]
    assert each(tasks).says == HOLDS and each(good).says == HOLDS
    worse = [row | {"task": "c"} for row in rows(f0=[0.5], f1=[0.8])]
    assert each(tasks + worse).says == FAILS and each([]).says == NOT_TRIED
    milder = judges.each_of("task", HIGHER, {"c": judges.higher("acc", [(B, A)], "below")})
    assert milder(tasks + worse).says == HOLDS


def test_a_curve_is_judged_by_its_mean_over_the_rounds():
    curve = judges.averaged("loss", ["f"], judges.higher("loss", [(A, B)], "above"))
    ends_below = [
        {"f": f, "seed": seed, "round": t, "loss": loss}
        for f, losses in ((0, (9.0, 1.0)), (1, (2.0, 2.0)))
        for t, loss in enumerate(losses)
        for seed in (0, 1)
    ]
    assert curve(ends_below).says == HOLDS
    assert curve(ends_below).ours == "5.000 ± 0.000 against 2.000 ± 0.000"
    lowest = judges.at_worst("acc", ["f"], judges.higher("acc", [(A, B)], "above"))
    curves = [
        {"f": f, "seed": 0, "round": t, "acc": value}
        for f, values in ((0, (0.1, 0.7, 0.8, 0.9)), (1, (0.9, 0.9, 0.6, 0.95)))
        for t, value in enumerate(values)
    ]
    assert lowest(curves).says == HOLDS and lowest(curves).ours == "0.800 against 0.600"
    others = [row for row in curves if row["f"] == 0]
    gone = [row | {"status": "diverged"} for row in curves if row["f"] == 1]
    assert lowest(others + gone).ours == "0.800 against 0.000"
    failed = [{"f": 1, "seed": 0, "status": "failed"}]  # of it there are no rounds
    assert lowest(others + failed).says == NOT_TRIED
    infinite = [{"f": 1, "seed": s, "round": 9, "loss": None} for s in (0, 1)] + ends_below
    assert curve(infinite).says == FAILS
