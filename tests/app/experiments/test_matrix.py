"""A small part of the matrix of rules and attacks, beside what was recorded; and how it is made.

A cell's noise is what rounding does to it: the spread over learning rates that differ by a
millionth, at the same seed.

`python -m tests.app.experiments.test_matrix` records anew: a change that lowers a cell on purpose
needs a reason in CHANGELOG.md.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from signfed.app.config.usual import usual_keys
from signfed.app.experiments.items.matrix import (
    QUICK_ATTACKS,
    QUICK_RULES,
    SEEDS,
    SHARDS,
    below_the_vote,
    searched,
    worst_repeated,
)
from signfed.app.redteam.scores import final_scores
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED
from signfed.strategies.registry import STRATEGIES

FILE = Path(__file__).with_name("matrix.json")
ROUNDS, NUDGES, LEAST = 30, (0, 1e-6, -1e-6, 3e-6), 0.02
SMALL = (SHARDS[0], SHARDS[2])
CELLS = [
    f"{rule} {attack} {shard['partition']}"
    for rule in QUICK_RULES for attack in ("none", *QUICK_ATTACKS) for shard in SMALL
]  # fmt: skip


def accuracy(cell, nudge=0.0):
    rule, attack, partition = cell.split()
    shard = next(each for each in SMALL if each["partition"] == partition)
    keys = {"strategy": rule, **usual_keys(STRATEGIES[rule])}
    keys["lr"] *= 1 + nudge
    return final_scores({
        **keys, **shard, "attack": attack, "num-byzantine": 3, "num-rounds": ROUNDS,
        "evaluate-every": ROUNDS, "device": "cpu",
    })[0]  # fmt: skip


@pytest.mark.parametrize("rule", QUICK_RULES)
def test_no_cell_drops_by_more_than_its_noise(rule):
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    assert sorted(recorded) == sorted(CELLS)
    for cell in (cell for cell in CELLS if cell.split()[0] == rule):
        assert accuracy(cell) >= recorded[cell]["accuracy"] - recorded[cell]["noise"], cell


def test_the_recorded_cells_tell_good_rules_from_bad():
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    at = {cell: entry["accuracy"] for cell, entry in recorded.items()}
    assert at["sign-fd sign-inversion labels"] > at["sign-mv sign-inversion labels"] + 0.2
    assert at["sign-mv none stratified"] > 0.7 > 0.2 > at["mean vote-aware labels"]


def row(strategy, attack, accuracy, seed=0, **more):
    return {
        "strategy": strategy, "attack": attack, "partition": "stratified", "seed": seed,
        "status": "finished", "final_test_accuracy": accuracy, **more,
    }  # fmt: skip


def test_the_worst_point_of_each_cell_is_repeated_on_all_seeds():
    sweep = searched(("sign-mv",), ("lie",), SMALL[:1], values=2, rounds=5)
    rows = [
        row("sign-mv", "none", 0.9),
        row("sign-mv", "lie", 0.8, **{"lie.z": 0.3}),
        row("sign-mv", "lie", 0.6, **{"lie.z": 1.5}),
        row("krum", "lie", 0.5, status="failed"),
        row("krum", "lie", None, **{"lie.z": 1.5, "status": "diverged"}),
        row("krum", "backdoor", 0.1, final_backdoor_success=0.2, **{"backdoor.boost": 1.0}),
        row("krum", "backdoor", 0.9, final_backdoor_success=0.8, **{"backdoor.boost": 3.0}),
        row("krum", "backdoor", None, status="diverged", **{"backdoor.boost": 9.0}),
        row("mean", "backdoor", None, status="diverged", **{"backdoor.boost": 9.0}),
    ]
    again = worst_repeated(sweep, rows)
    assert again.seeds == SEEDS and again.config == sweep.config
    common = {"partition": "stratified"}
    assert list(again.cases) == [
        common | {"strategy": "sign-mv", "attack": "none"},
        common | {"strategy": "sign-mv", "attack": "lie", "lie.z": 1.5},
        common | {"strategy": "krum", "attack": "lie", "lie.z": 1.5},
        common | {"strategy": "krum", "attack": "backdoor", "backdoor.boost": 3.0},
        common | {"strategy": "mean", "attack": "backdoor", "backdoor.boost": 9.0},
    ]


@pytest.mark.parametrize("loss, says", [(0.0, HOLDS), (0.009, HOLDS), (0.05, FAILS)])
def test_a_loss_beyond_a_point_is_a_loss(loss, says):
    judge = below_the_vote(SHARDS[0])
    rows = [
        row(rule, attack, 0.8 - (loss if (rule, attack) == ("sign-fd", "lie") else 0.0), seed)
        for rule in ("sign-fd", "sign-mv") for attack in ("none", "lie") for seed in SEEDS
    ]  # fmt: skip
    assert judge(rows).says == says
    assert judge([each for each in rows if each["strategy"] == "sign-mv"]).says == NOT_TRIED
    rows.append(row("sign-fd", "backdoor", 0.1))  # says nothing of accuracy
    assert judge(rows).says == says


def write():
    recorded = {}
    for cell in CELLS:
        found = [accuracy(cell, nudge) for nudge in NUDGES]
        noise = max(LEAST, 2 * statistics.stdev(found))
        recorded[cell] = {"accuracy": round(found[0], 4), "noise": round(noise, 4)}
    lines = [f" {json.dumps(cell)}: {json.dumps(entry)}" for cell, entry in recorded.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
