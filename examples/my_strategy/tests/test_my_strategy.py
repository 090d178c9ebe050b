"""What the rule promises, that the attack bites, and that a run learns."""

from __future__ import annotations

import numpy as np
import signfed
import torch

from my_strategy.strategy import MyStrategy, clipped_mean

RULE, ATTACK = "my_strategy.strategy:MyStrategy", "my_strategy.attack:opposite"


def test_no_row_pulls_farther_than_the_median_length():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1e6, 0.0]])
    assert torch.allclose(clipped_mean(rows, 1.0), torch.tensor([0.0, 1 / 3]))


def test_rows_that_agree_are_the_answer():
    same = np.tile(np.float32([1, -2, 3]), (5, 1))
    assert np.allclose(MyStrategy()(same), [1, -2, 3])


def test_the_attack_turns_the_mean_and_not_the_rule():
    honest = np.tile(np.float32([1, -2, 3]), (5, 1))
    sent = signfed.craft(ATTACK, honest[:2], n_total=7, seed=0)
    rows = np.concatenate([honest, sent])
    assert rows.mean(axis=0) @ honest[0] < 0 < MyStrategy()(rows) @ honest[0]


def test_a_run_learns_in_spite_of_the_attack(tmp_path):
    result = signfed.run({
        "task": "digits", "strategy": RULE, "attack": ATTACK, "num-byzantine": 3, "lr": 0.2,
        "num-rounds": 60, "device": "cpu", "out-dir": str(tmp_path / "run"),
    })  # fmt: skip
    assert result.summary["final_test_accuracy"] > 0.8
