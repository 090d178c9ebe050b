"""Every item: its cells are accepted, its pictures draw, its claims are answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signfed.app.errors import ConfigError
from signfed.app.experiments.cells import cells_of
from signfed.app.experiments.code import Sources
from signfed.app.experiments.items import fd_fig3b, fd_table1, minority
from signfed.app.experiments.registry import EXPERIMENTS, PAPERS, find
from signfed.app.experiments.reproduce import judged, reproduce
from signfed.app.experiments.runner import runner_for
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED

SOURCES = Sources()  # read once for all cells
SETTINGS = [(name, setting) for name, each in EXPERIMENTS.items() for setting in each.settings]


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_the_cells_of_every_setting_are_accepted(name, setting):
    """Parsed and checked as before a run; data are not looked at, they may be missing.

    No run depends on claims: another word in one would have all of them run again.
    """
    experiment = EXPERIMENTS[name]
    sweep = experiment.settings[setting].sweep
    # Other seeds differ in nothing that is checked; of thousands of cases 500 are enough.
    every = max(1, len(sweep.cases) // 500)
    one = replace(sweep, seeds=sweep.seeds[:1], cases=sweep.cases[::every])
    cells = cells_of(one, load=None, sources=SOURCES)
    assert len(cells) == len(list(one.points())) > 0
    assert not [name for cell in cells for name in cell.code if "experiments.judges" in name]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_item_is_complete(name):
    item = find(name)
    assert item.name == name and item.paper in PAPERS and item.claims and item.choices
    assert item.quick.minutes <= 10 and item.quick.sweep.points()
    assert all(claim.text and claim.source for claim in item.claims)
    assert set(item.remarks) <= set(item.settings)


@pytest.mark.parametrize(
    "name, tasks",
    [("signguard-table1", ["mnist", "fashion-mnist", "cifar10", "ag-news"])]
    + [(f"signguard-fig{n}", ["fashion-mnist", "cifar10"]) for n in (4, 5, 6)],
)
def test_a_setting_of_one_data_set_names_those_of_the_others(name, tasks):
    item = find(name)
    for task in tasks:
        setting = item.settings["full" if task == tasks[0] else task]
        assert {point["task"] for point in setting.sweep.points()} == {task}
        rest = [f"`--setting {'full' if t == tasks[0] else t}`" for t in tasks if t != task]
        assert setting.note.count("--setting") == len(rest) and setting.estimated
        assert all(other in setting.note for other in rest)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_without_runs_no_claim_was_tried(name):
    item = find(name)
    missing = [{**point, "status": "missing"} for point in item.quick.sweep.points()]
    verdicts = judged(item.claims, missing, [])
    assert [verdict.says for _, verdict in verdicts] == [NOT_TRIED] * len(item.claims)


def test_an_unknown_item_is_refused_with_those_that_there_are():
    with pytest.raises(
        ConfigError, match="unknown experiment 'fd-fig9'; expected some of fd-fig1a"
    ):
        find("fd-fig9")


def test_what_a_lone_worker_keeps_is_in_its_runs(tmp_path):
    """An ordinary sweep: its runs are in the folder, and nothing is measured beside them."""
    quick = minority.MINORITY.quick.sweep
    short = quick.config | {"num-rounds": 1, "device": "cpu"}
    one = replace(quick, config=short, cases=quick.cases[:1], seeds=(0,))
    outcome = reproduce(minority.MINORITY, "quick", one, tmp_path, runner=runner_for(processes=0))
    [row] = outcome.rows
    assert {minority.KEPT, minority.OTHERS} <= set(row) and row["status"] == "finished"
    assert len(list((tmp_path / "cells").iterdir())) == 1


def sent(cell, seed, up, accuracies):
    """The rounds of a run that sends `up` bytes a round, nothing down."""
    return [
        {**cell, "seed": seed, "round": t, "uplink_bytes": up, "downlink_bytes": 0,
         "test_accuracy": accuracy}
        for t, accuracy in enumerate(accuracies, 1)
    ]  # fmt: skip


FD = {"strategy": "sign-fd", "encoder": "sign", "sign-fd.estimator": "alg1"}


def test_bits_are_counted_until_the_accuracy_is_reached():
    """SGD takes 2 rounds of 32 bytes, FD 4 of 1 to reach 0.99 of the lowest best, 0.792: 16 x."""
    rounds = sent(fd_fig3b.SGD, 0, 32, [0.5, 0.9]) + sent(FD, 0, 1, [0.2, 0.4, 0.6, 0.8])
    assert fd_fig3b.best_of(rounds, fd_fig3b.SGD) == {0: 0.9}
    assert fd_fig3b.bits_to(rounds, fd_fig3b.SGD, 0.792) == {0: 512.0}
    assert fd_fig3b.times(fd_fig3b.SGD, FD, 16, 0.5)(rounds).says == HOLDS
    assert fd_fig3b.times(fd_fig3b.SGD, FD, 30, 5)(rounds).says == FAILS


STUCK = [0.1] * 4
LEARNS = [0.2, 0.4, 0.6, 0.8]


def test_a_third_algorithm_that_learns_nothing_does_not_lower_the_accuracy_of_a_pair():
    rounds = sent(fd_fig3b.SGD, 0, 32, [0.5, 0.9]) + sent(FD, 0, 1, LEARNS)
    judge = fd_fig3b.times(fd_fig3b.SGD, FD, 16, 0.5)
    verdict = judge(rounds + sent(fd_fig3b.TOP_K, 0, 4, STUCK))
    assert verdict == judge(rounds) and verdict.says == HOLDS


@pytest.mark.parametrize("more, less", [(STUCK, LEARNS), (LEARNS, STUCK), (STUCK, STUCK)])
def test_at_an_accuracy_that_is_chance_no_bits_are_compared(more, less):
    """Each has it in its first round, so that the bits of a round would be all: 32 times."""
    rounds = sent(fd_fig3b.SGD, 0, 32, more) + sent(FD, 0, 1, less)
    verdict = fd_fig3b.times(fd_fig3b.SGD, FD, 32, 0.5)(rounds)
    assert verdict.says == FAILS and "0.099" in verdict.ours


def test_bits_of_which_a_run_is_lost_are_untried():
    judge = fd_fig3b.times(fd_fig3b.SGD, FD, 16, 0.5)
    rounds = sent(FD, 0, 1, LEARNS)
    failed = {**fd_fig3b.SGD, "seed": 0, "status": "failed"}
    assert judge([failed, *rounds]).says == NOT_TRIED
    rounds += sent(fd_fig3b.SGD, 1, 32, [0.5, 0.9])
    assert judge(rounds).says == NOT_TRIED  # no seed in common
    assert judge([failed, *rounds, *sent(FD, 1, 1, LEARNS)]).says == NOT_TRIED


def test_a_run_that_diverged_reaches_what_it_had_reached():
    """Of a model that is not finite the file has null for an accuracy."""
    rounds = sent(fd_fig3b.SGD, 0, 32, [0.5, 0.9, None]) + sent(FD, 0, 1, LEARNS)
    assert fd_fig3b.times(fd_fig3b.SGD, FD, 16, 0.5)(rounds).says == HOLDS


@pytest.mark.parametrize(
    "cell, up, down, says",
    [
        (fd_table1.SGD, 32.0, 32.2, [HOLDS]),
        (fd_table1.SGD, 32.0, 34.0, [FAILS]),
        (fd_table1.TOP_K, 4.2, 32.0, [FAILS, HOLDS]),  # a bitmap: above the formula, as it must be
        (fd_table1.TOP_K, 3.5, 32.0, [HOLDS, FAILS]),  # as printed: below the entropy
        (fd_table1.MV, 1.01, 1.01, [UNDECIDED]),  # headers are 23 % of so small a message
        (fd_table1.MV, 1.5, 1.5, [FAILS]),
    ],
)
def test_what_messages_weigh_is_judged_by_the_formulas(cell, up, down, says):
    row = {**cell, "seed": 0, "status": "finished", "parameters": 10_000,
           "uplink_bits_per_parameter": up, "downlink_bits_per_parameter": down}  # fmt: skip
    verdicts = [v.says for _, v in judged(fd_table1.FD_TABLE1.claims, [row], [])]
    assert [v for v in verdicts if v != NOT_TRIED] == says


def test_the_entropy_of_the_indices_is_that_of_their_set():
    """N H(1/10) against log2 of the number of sets of 100 among 1,000: they agree to 1 %."""
    from math import comb, log2

    exact = log2(comb(1000, 100))
    assert fd_table1.entropy(1000) - 32 * 100 - 32_000 == pytest.approx(exact, rel=0.02)
    assert fd_table1.top_k(1000) < 3200 + exact + 32_000 < fd_table1.entropy(1000)
