"""The items of SignGuard, Election Coding and beyond: they start, and mean what the papers say."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from signfed.app.config.run_config import build_strategy, parse
from signfed.app.experiments.items import byzfl_cnn, byzfl_heatmaps, election, minority
from signfed.app.experiments.items.election_figures import HALVED
from signfed.app.experiments.items.election_table_a1 import targets
from signfed.app.experiments.items.sign_statistics import SignStatistics
from signfed.app.experiments.items.signguard import ATTACKS, RULES, table_1
from signfed.app.experiments.items.signguard_table2 import TABLES as TABLES_2
from signfed.app.experiments.items.signguard_table3 import VALUES as TABLE_3
from signfed.app.experiments.published import published
from signfed.app.experiments.registry import EXPERIMENTS
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED
from signfed.app.task import TASKS, Spec
from signfed.app.task.models import build, flatten
from signfed.clients.coded import local_vote
from signfed.strategies.core.allocation import bernoulli_matrix
from signfed.strategies.core.updates import Updates

PAPERS = {"xu-2022", "sohn-2020", "byzfl", "blanchard-2017", "elmhamdi-2018", "ours"}
MINE = {
    name: each for name, each in EXPERIMENTS.items() if each.paper in PAPERS and name != "matrix"
}
SETTINGS = [(name, setting) for name, each in MINE.items() for setting in each.settings]


def cells(name, setting):
    sweep = MINE[name].settings[setting].sweep
    return [{**sweep.config, **point} for point in sweep.points()]


def test_the_gap_to_the_median_is_judged_under_each_tie_rule():
    claims = EXPERIMENTS["election-figA4c"].claims
    assert len([claim for claim in claims if "the gap is wider" in claim.text]) == 3


def test_they_are_all_there():
    signguard = ["table1", "table2", "table3", "fig2", "fig4", "fig5", "fig6"]
    coded = ["tableA1", "figA1", "figA2", "figA3", "figA4a", "figA4b", "figA4c"]
    expected = {f"signguard-{item}" for item in signguard} | {f"election-{item}" for item in coded}
    assert set(MINE) == expected | {"byzfl-heatmaps", "krum-nips2017", "krum-icml2018", "minority"}


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_every_cell_can_start(name, setting):
    found = cells(name, setting)
    assert len({str(sorted(cell.items())) for cell in found}) == len(found) > 0
    for cell in found:
        config = parse(cell)
        strategy = build_strategy(config)
        assert strategy.admissible(config.workload.num_workers) is None, cell


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_every_setting_says_what_is_smaller_and_is_judged(name, setting):
    """Rows in which every score is the same: each claim is judged or untried, and none raises."""
    experiment, chosen = MINE[name], MINE[name].settings[setting]
    assert chosen.note or chosen.sweep.config == experiment.full.sweep.config  # but for seeds
    scores = {
        "status": "finished", "best_test_accuracy": 0.5, "final_test_accuracy": 0.5,
        "test_accuracy": 0.5, "final_test_loss": 1.0, "byzantine_accepted": 0.5, "round": 1,
        "honest_rejected": 0.5, minority.KEPT: 0.5, minority.OTHERS: 0.5,
        "positive": 0.5, "negative": 0.5, "lie_positive": 0.5, "lie_negative": 0.5,
    }  # fmt: skip
    rows = [{**point, **scores} for point in chosen.sweep.points()]
    verdicts = [claim.judge(rows) for claim in experiment.claims]
    assert {verdict.says for verdict in verdicts} != {NOT_TRIED}
    unfinished = [{**row, "status": "failed"} | dict.fromkeys(scores, None) for row in rows]
    assert {claim.judge(unfinished).says for claim in experiment.claims} <= {NOT_TRIED, FAILS}


# SignGuard


@pytest.mark.parametrize("data", ["MNIST", "Fashion-MNIST", "CIFAR-10", "AG-News"])
def test_table_1_has_a_value_for_each_rule_and_attack(data):
    values = table_1(data)
    rules = [rule["strategy"] for rule in RULES.values()]
    assert set(values) == {(rule, attack) for rule in rules for attack in ATTACKS.values()}
    assert values["mean", "none"] == max(values[rule, "none"] for rule in rules[:7]) > 89


def test_some_cells_of_the_tables_by_hand():
    assert table_1("MNIST")["multi-krum", "min-sum"] == 27.27
    assert table_1("CIFAR-10")["signguard", "sign-flip"] == 88.61
    rejected, accepted = (table.published for table in TABLES_2)
    assert rejected["signguard", "sign-flip"] == pytest.approx(1 - 0.687)
    assert accepted["signguard-dist", "min-max"] == 0.0009 and len(accepted) == 15
    assert TABLE_3["cluster", "reverse-scaling"] == 25.29 and len(TABLE_3) == 18


def test_reverse_scaling_goes_to_the_bound_and_to_100_where_nothing_looks_at_lengths():
    factors = {
        cell["signguard-sim.components"]: cell["reverse-scaling.factor"]
        for cell in cells("signguard-table3", "full") if cell["attack"] == "reverse-scaling"
    }  # fmt: skip
    assert factors.pop("cluster") == 100.0 and set(factors.values()) == {3.0} and len(factors) == 5


def test_sign_statistics_are_those_of_the_rows_and_of_lies_vector():
    rows = torch.from_numpy(np.random.default_rng(0).normal(0.1, 1, (5, 40))).float().round()
    rule = SignStatistics()
    found = rule.aggregate(Updates.from_matrix(rows))
    values = [value for row in rows.tolist() for value in row]
    crafted = []
    for column in zip(*rows.tolist(), strict=True):
        mean = sum(column) / 5
        crafted.append(mean - 0.3 * math.sqrt(sum((x - mean) ** 2 for x in column) / 4))
    shares = {
        "positive": sum(x > 0 for x in values) / 200, "zero": sum(x == 0 for x in values) / 200,
        "lie_positive": sum(x > 1e-7 for x in crafted) / 40,
        "lie_negative": sum(x < -1e-7 for x in crafted) / 40,
    }  # fmt: skip
    assert torch.allclose(found, rows.mean(dim=0))
    for name, share in shares.items():
        assert rule.diagnostics()[name] == pytest.approx(share, abs=1e-4), name


# Election Coding


def test_an_epoch_is_the_training_set_and_the_rate_falls_at_the_papers_epochs():
    keys = election.nodes(9, 3)
    assert keys["batch-size"] == 14 and keys["num-rounds"] == 100 * (50_000 // 126)
    assert keys["lr-milestones"] == f"{40 * 396},{80 * 396}"
    assert election.nodes(15, 6, batch=64)["num-rounds"] == 100 * (50_000 // 960)


def test_targets_are_those_of_the_table():
    assert targets(5, 1) == targets(9, 2) == [0.75, 0.8, 0.85, 0.89]
    assert targets(9, 3) == [0.3, 0.6, 0.79, 0.88]
    assert sum(math.isinf(cell.value) for cell in published("election")) == 5


def test_the_code_of_fig_a1_is_built_for_one_and_attacked_by_two():
    coded = next(c for c in cells("election-figA1", "full") if c["strategy"] == "election")
    config = parse(coded)
    allocation = build_strategy(config).instructions(5)
    assert (coded["num-byzantine"], coded["assumed-byzantine"]) == (2, 1) and allocation


def wrong(q, n, b, r):
    """Share of wrong votes: q of the partitions' signs are, b of n nodes reverse theirs."""
    draws, found = np.random.default_rng(n), []
    for _ in range(1500):
        signs = np.where(draws.random((n, 60)) < q, -1, 1).astype(np.int8)
        matrix = bernoulli_matrix(n, r, draws) if r else np.eye(n, dtype=np.int8)
        votes = np.stack([local_vote(signs[row > 0]) for row in matrix])
        votes = np.where(votes, votes, draws.choice([-1, 1], votes.shape))
        votes[draws.permutation(n)[:b]] *= -1
        found.append((votes.sum(axis=0) < 0).mean())
    return np.mean(found)


@pytest.mark.parametrize(
    "n, b, r, q, plain, whole, half",
    [
        (15, 6, 3.0, 0.16, 0.23, 0.12, 0.22), (15, 6, 3.0, 0.07, 0.09, 0.04, 0.11),
        (5, 2, 2.5, 0.16, 0.31, 0.17, 0.25), (5, 2, 2.5, 0.07, 0.17, 0.08, 0.16),
    ],
)  # fmt: skip
def test_independent_draws_are_those_of_the_remark(n, b, r, q, plain, whole, half):
    """To its two digits, and 3 standard errors."""
    normal = NormalDist()
    of_half = normal.cdf(normal.inv_cdf(q) / math.sqrt(2))
    assert round(of_half, 2) == {0.16: 0.24, 0.07: 0.15}[q]
    shares = [wrong(q, n, b, None), wrong(q, n, b, r), wrong(of_half, n, b, r)]
    assert shares == pytest.approx([plain, whole, half], abs=0.005 + 0.006)
    for share in (f"{plain:.2f}", f"{whole:.2f}", f"{half:.2f}", f"{of_half:.2f}"):
        assert share in HALVED


# Beyond


def test_what_krums_readme_means_by_about_is_called_ours():
    """The README has no noise: what is allowed is no paper's number."""
    row = {"strategy": "multi-krum", "num-byzantine": 6, "seed": 0, "final_test_accuracy": 0.82}
    verdict = EXPERIMENTS["krum-nips2017"].claims[1].judge([row])
    assert "0.03 (ours" in verdict.tolerance and verdict.says == HOLDS


def test_byzfls_network_and_its_byzantine_workers_are_outside_the_split():
    model = build(f"{byzfl_cnn.__name__}:cnn_mnist", Spec((1, 28, 28), 10), 0)
    assert len(flatten(model)) == 431_080  # 20 x 26 + 50 x 501 + 500 x 801 + 10 x 501
    for cell in cells("byzfl-heatmaps", "full"):
        assert cell["gamma-similarity.outside"] == cell["num-byzantine"]
        assert cell["num-workers"] - cell["num-byzantine"] == 10


def test_published_heatmaps_by_hand():
    trimmed, geometric = (table.published for table in byzfl_heatmaps.TABLES)
    assert trimmed[0.0, 3] == 0.26 and geometric[0.33, 2] == 0.96 and len(trimmed) == 16


def test_the_minoritys_class_is_measured_on_its_own_samples():
    """36 of 360 test images are nines; the two accuracies make up that of all."""
    lone = {key: minority.DIGITS[key] for key in ("task", "partition", "lone-class.label")}
    problem = TASKS["digits"].problem(parse(lone | {"device": "cpu"}).workload)
    for seed in range(3):
        found = problem.evaluate(flatten(build("mlp", Spec((64,), 10), seed)))
        one, others = found["minority_accuracy"], found["others_accuracy"]
        assert 0.1 * one + 0.9 * others == pytest.approx(found["test_accuracy"])
        assert 36 * one == pytest.approx(round(36 * one))
