"""The function around a rule, where whoever calls it has not asked whether the rule can run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from signfed.app.config.run_config import build_strategy, parse
from signfed.strategies.bulyan import Bulyan
from signfed.strategies.server.own_app import run_federation


def test_a_rule_that_cannot_run_is_refused_before_a_node_is_asked():
    """Bulyan takes 4 f + 3 workers."""
    config = parse({"strategy": "mean", "num-workers": 10, "num-byzantine": 0, "attack": "none"})
    federation = config.federation(build_strategy(config))
    no_grid = SimpleNamespace()
    with pytest.raises(ValueError, match="n=10 updates, f=2"):
        run_federation(Bulyan(n_byzantine=2), federation, no_grid, torch.zeros(4), 3, 5.0)
