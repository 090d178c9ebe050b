"""Rows of all Byzantine workers from one call of their attack: those of one worker at a time."""

from __future__ import annotations

import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.engines.local import collector
from signfed.app.task import problem_of
from signfed.attacks import ATTACKS
from signfed.clients.at_once import can_be_at_once
from tests.app.engines.local.resident import Breaking, rounds_of, without_seconds

SMALL = {
    "num-workers": 9, "num-byzantine": 3, "byzantine-ids": "1,3,4", "batch-size": 8,
    "num-rounds": 4, "evaluate-every": 4, "lr": 0.001,
}  # fmt: skip
AT_ONCE = [name for name, attack in ATTACKS.items() if can_be_at_once(attack, everyone=True)]


def same(first, second):
    (model, records, _, states), (expected, theirs, _, others) = first, second
    return (
        model.tobytes() == expected.tobytes()
        and without_seconds(records) == without_seconds(theirs)
        and states[4].keys() == others[4].keys()
        and all(torch.equal(value, others[4][key]) for key, value in states[4].items())
    )


def both(monkeypatch, config, problem=None):
    at_once = rounds_of(config, on_device=False, every_state=True, problem=problem)
    calls = []

    def never(*given):
        return bool(calls.append(given))

    monkeypatch.setattr(collector, "can_be_at_once", never)
    one_by_one = rounds_of(config, on_device=False, every_state=True, problem=problem)
    assert len(calls) == 4  # each round asked
    return at_once, one_by_one


@pytest.mark.parametrize("rule", ["sign-mv", "mean"])
@pytest.mark.parametrize("name", AT_ONCE)
def test_to_the_bit_in_model_records_and_memories(name, rule, monkeypatch):
    assert same(*both(monkeypatch, SMALL | {"strategy": rule, "attack": name}))


@pytest.mark.parametrize("worker", [1, 6], ids=["byzantine", "honest"])
@pytest.mark.parametrize("name", ["lie", "sign-inversion", "sign-flip", "poisoned-fl"])
def test_where_a_gradient_is_broken(name, worker, monkeypatch):
    problem = Breaking(problem_of(parse(SMALL | {"device": "cpu"}).workload), worker, (2, 3))
    config = SMALL | {"strategy": "sign-mv", "attack": name}
    at_once, one_by_one = both(monkeypatch, config, problem)
    assert same(at_once, one_by_one)
    assert any(r["dropped"] for r in at_once[1]) or worker == 1
