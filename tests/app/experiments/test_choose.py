"""The choice by the worst attack, by hand."""

from __future__ import annotations

import csv
import json
from itertools import product

import numpy as np
import pytest

from signfed.app.experiments.choose import chosen, left_out
from signfed.app.experiments.sweep import Choose
from signfed.app.experiments.tables import write_results
from signfed.app.runs.sweeps import SweepFolder
from tests.app.report.folders import line, run_folder

KEYS = ["strategy", "lr", "momentum", "attack", "seed"]
LR = Choose(["lr"])


def row(lr, attack, seed, server_round, validation, test=0.0, **more):
    return {
        "strategy": "mean", "lr": lr, "momentum": 0.0, "attack": attack, "seed": seed,
        "round": server_round, "validation_accuracy": validation, "test_accuracy": test, **more,
    }  # fmt: skip


def test_the_best_at_its_worst_by_hand():
    """lr 1 is better without an attack; lr 2 is better at its worst, at the peak of its mean."""
    rows = [
        row(1, "none", 0, 1, 0.9), row(1, "lie", 0, 1, 0.3),
        row(2, "none", 0, 1, 0.5, 0.1), row(2, "none", 0, 2, 0.7, 0.2),
        row(2, "none", 1, 1, 0.9, 0.3), row(2, "none", 1, 2, 0.5, 0.4),
        row(2, "lie", 0, 1, 0.4, 0.5), row(2, "lie", 1, 1, 0.6, 0.7),
        row(2, "lie", 0, 2, 0.4, 0.0),
        {"strategy": "mean", "lr": 3, "attack": "none", "seed": 0, "round": 1},
    ]  # fmt: skip
    rows += [row(1, "none", 1, 1, 0.9), row(1, "lie", 1, 1, 0.5)]
    common = {"strategy": "mean", "momentum": 0.0, "lr": 2}
    # none: means 0.7 in round 1, 0.6 in round 2; lie: 0.5 in round 1, the only one that both have
    assert chosen(LR, rows, KEYS) == [
        common | {"attack": "none", "round": 1, "validation_accuracy": pytest.approx(0.7),
                  "test_accuracy": pytest.approx(0.2), "worst": False},
        common | {"attack": "lie", "round": 1, "validation_accuracy": pytest.approx(0.5),
                  "test_accuracy": pytest.approx(0.6), "worst": True},
    ]  # fmt: skip


def test_test_data_decide_nothing():
    rows = [row(1, "none", 0, 1, 0.6, test=0.1), row(2, "none", 0, 1, 0.5, test=0.9)]
    assert chosen(LR, rows, KEYS)[0]["lr"] == 1
    assert chosen(LR, [row(1, "none", 0, 1, 0.5), row(2, "none", 0, 1, 0.5)], KEYS)[0]["lr"] == 1


def test_a_setting_of_which_a_run_failed_is_not_compared():
    rows = [row(1, "none", 0, 1, 0.9), row(2, "none", 0, 1, 0.5), row(2, "lie", 0, 1, 0.5)]
    assert {each["lr"] for each in chosen(LR, rows, KEYS)} == {2}


@pytest.mark.parametrize("ended", ["failed", "diverged", "interrupted", "missing"])
def test_a_setting_whose_run_did_not_finish_is_not_chosen(ended, tmp_path):
    """lr 1 ended after round 10, at 0.95 under one of two seeds; lr 0.1 finished at 0.9."""
    cells = []
    for lr, seed, status, worth in (
        (1.0, 0, ended, 0.95), (1.0, 1, "finished", 0.95), (0.1, 0, "finished", 0.9),
        (0.1, 1, "finished", 0.9),
    ):  # fmt: skip
        keys = {"lr": lr, "attack": "none", "seed": seed}
        rounds = [line(10, validation_accuracy=worth, test_accuracy=worth)]
        if status != "missing":
            run_folder(tmp_path / "cells" / f"{lr}-{seed}", rounds, keys, {"status": status})
        cells.append({"id": f"{lr}-{seed}", "keys": keys})
    (tmp_path / "sweep.json").write_text(json.dumps({"name": "x", "cells": cells}))
    sweep = SweepFolder(tmp_path)
    assert left_out(LR, sweep.rows(), ["lr", "attack", "seed"]) == [{"lr": 1.0}]
    says = write_results(sweep, LR)
    assert "chosen.csv: not compared, since a run did not finish: lr=1.0" in says.splitlines()
    with (tmp_path / "chosen.csv").open(newline="") as file:
        assert [found["lr"] for found in csv.DictReader(file)] == ["0.1"]


def slow(table):
    """The definition on an array [lr, momentum, attack, round, seed], as ByzFL reads it."""
    best, at = -1.0, None
    for i, j in product(range(table.shape[0]), range(table.shape[1])):
        worst = min(table[i, j, a].mean(axis=-1).max() for a in range(table.shape[2]))
        if worst > best:
            best, at = worst, (i, j)
    return best, at


@pytest.mark.parametrize("seed", range(5))
def test_as_the_slow_definition(seed):
    table = np.random.default_rng(seed).random((3, 2, 4, 5, 2))
    rows = [
        row(i, f"attack-{a}", s, t, table[i, j, a, t, s], momentum=j)
        for i, j, a, t, s in np.ndindex(table.shape)
    ]
    found = chosen(Choose(["lr", "momentum"]), rows, KEYS)
    best, (i, j) = slow(table)
    assert {(each["lr"], each["momentum"]) for each in found} == {(i, j)} and len(found) == 4
    [worst] = [each["validation_accuracy"] for each in found if each["worst"]]
    assert worst == pytest.approx(best)
