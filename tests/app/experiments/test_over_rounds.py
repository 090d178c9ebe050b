"""Judges of rounds: what holds in each of them, and when an accuracy is reached."""

import pytest

from signfed.app.experiments.judges import above_in_rounds, grows, sooner
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED

A, B = {"rule": "a"}, {"rule": "b"}


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


def lost(rule, seed=1):
    """The row of a run that failed: it says so, and has no round."""
    return {"rule": rule, "seed": seed, "status": "failed"}


def test_rounds_of_which_a_run_is_lost_are_untried():
    judge, found = above_in_rounds("x", "y", ""), [{"rule": "a", "x": 0.6, "y": 0.5}]
    assert judge(found).says == HOLDS and judge([*found, lost("a")]).says == NOT_TRIED


@pytest.mark.parametrize("rule", "ab")
def test_a_pair_of_which_a_run_is_lost_is_untried(rule):
    """Seeds 0 and 1 would decide; what a third one would have said nobody knows."""
    found = twice(curve("a", 0.3, 0.6) + curve("b", 0.1, 0.6))
    judge = sooner([(A, B)], [0.3, 0.6], "")
    assert judge(found).says == HOLDS and judge([*found, lost(rule, 2)]).says == NOT_TRIED
    assert judge([*found, lost("c", 2)]).says == HOLDS  # no cell of the claim


def test_a_speedup_of_which_a_run_is_lost_is_untried():
    settings = [(A, [B], [0.6]), ({"rule": "c"}, [B], [0.6])]
    found = twice(curve("a", 0.1, 0.6) + curve("b", 0.6) + curve("c", 0.1, 0.1, 0.6))
    assert grows(settings, "")(found).says == HOLDS
    assert grows(settings, "")([*found, lost("c", 2)]).says == NOT_TRIED


def test_a_run_that_never_arrives_counts_by_its_own_end():
    """Not by the clock of another setting, whose runs are ten times as long."""
    found = twice(curve("a", 0.1, 0.6, 0.6))
    found += curve("b", 0.1, 0.6, 0.6) + curve("b", 0.1, 0.1, 0.1, seed=1)
    longer = twice(curve("c", *[0.1] * 30))
    judge = sooner([(A, B)], [0.6], "")
    assert judge(found + longer) == judge(found)
    assert judge(found).ours == "60%: 20 rounds against at least 30 rounds (1 of 2 seeds)"
    settings = [(B, [A], [0.6]), ({"rule": "c"}, [{"rule": "d"}], [0.6])]
    found += twice(curve("d", *[0.1] * 29, 0.6))
    assert grows(settings, "")(found + longer).ours == "1.41 x, 1.03 x"  # sqrt(40 / 20), 310 / 300


def test_a_run_that_diverged_early_does_not_arrive_before_the_other():
    """It ends after one evaluation of four; its second would have come before b's third."""
    found = [row | {"status": "diverged"} for row in twice(curve("a", 0.1))]
    found += twice(curve("b", 0.1, 0.1, 0.6, 0.6))
    assert sooner([(A, B)], [0.6], "")(found).says == FAILS
    found += [row | {"status": "diverged"} for row in curve("b", 0.1, seed=2)]
    found += curve("a", 0.1, 0.1, 0.1, 0.6, seed=2)
    verdict = sooner([(B, A)], [0.6], "")(found)
    assert (
        verdict.ours == "60%: at least 37 rounds (2 of 3 seeds) against at least 47 rounds "
        "(1 of 3 seeds)"
    )


def test_a_run_that_diverged_before_its_first_evaluation_never_arrives():
    """Without it a would be sooner on both seeds that are left."""
    found = twice(curve("a", 0.1, 0.6) + curve("b", 0.1, 0.1, 0.6)) + curve("b", 0.6, seed=2)
    found += [A | {"seed": 2, "round": 1, "status": "diverged"}]
    verdict = sooner([(A, B)], [0.6], "")(found)
    assert verdict.says == UNDECIDED and "(2 of 3 seeds)" in verdict.ours
