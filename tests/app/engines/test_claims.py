"""Whose claims a server of the local engine hears, and when."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from signfed.app.config.run_config import parse
from signfed.app.engines.claims import claims
from signfed.strategies.core.updates import Updates

CONFIG = parse({"num-rounds": 5, "evaluate-every": 2})
X = torch.zeros(4)
SHARES = {0: 0.25, 1: 0.0, 2: 0.0, 3: 0.75, 4: 0.5}


def said(server_round, ids=(0, 3, 4), tested=False):
    problem = SimpleNamespace(tested=tested, own_accuracy=lambda x, worker: SHARES[worker])
    rows = torch.zeros(len(ids), 4)
    updates = Updates(torch.tensor(ids), server_round, 4, rows, False) if ids else None
    return claims(CONFIG, problem, X, updates, server_round)


def test_those_with_a_valid_row_are_heard():
    """The median of 0.25, 0.75 and 0.5; of all five it would be 0.25."""
    assert said(2) == {"evaluate": {"accuracy": 0.5}}
    assert said(2, ids=()) == {}


def test_in_rounds_that_are_evaluated_where_there_is_no_test_set():
    assert [server_round for server_round in range(1, 6) if said(server_round)] == [2, 4, 5]
    assert said(2, tested=True) == {}
