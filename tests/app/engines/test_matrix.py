"""Every attack against every rule, a short run each: it ends, and its record says how it went."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from signfed.app.client_app import app as client_app
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.server_app import run
from signfed.app.task import Classification, Task
from signfed.attacks import ATTACKS
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.optimizer import model_sha256
from tests.federation import in_local, needs
from tests.grid import InProcessGrid
from tests.together import Together

# n = 4f + 3 for bulyan, an odd n for election; who is honest at first turns within the run.
ROUNDS = 6
SMALL = {
    "num-workers": 11, "num-byzantine": 2, "batch-size": 8, "num-rounds": ROUNDS,
    "evaluate-every": ROUNDS, "device": "cpu",
}  # fmt: skip
OF_ATTACK = {
    "sleeper": {"sleeper.rounds": 3},
    "trusted-bloc": {"trusted-bloc.rounds": 3},
    "opt-alie": {"opt-alie.evaluations": 3},  # a mean gives way at every length, up to infinity
    "opt-ipm": {"opt-ipm.evaluations": 3},
}

SAY_WHOM_THEY_ACCEPT = {
    "sign-fd", "reputation-mv", "signguard", "signguard-sim", "signguard-dist", "krum",
    "multi-krum", "bulyan", "dnc", "geometric-median", "sign-fv", "fedseca", "fltrust", "lasa",
}  # fmt: skip


@pytest.fixture
def models(monkeypatch):
    """The models of the runs so far. What they share is computed once: a third of the time."""
    found, together = [], Together()
    monkeypatch.setattr(Task, "problem", lru_cache(Task.problem))
    monkeypatch.setattr(Classification, "gradient", lambda *given, **more: together(*given, **more))
    monkeypatch.setattr(
        "signfed.app.runs.saving.model_sha256", lambda x: found.append(x) or model_sha256(x)
    )
    return found


@pytest.mark.parametrize("rule", STRATEGIES)
def test_every_attack_on(rule, models, tmp_path):
    """At the default rate no attack's default size drives even the mean out of the numbers."""
    on_floats = STRATEGIES[rule].encoder == "float32"
    for name, attack in ATTACKS.items():
        path = tmp_path / name
        config = SMALL | OF_ATTACK.get(name, {})
        config |= {"strategy": rule, "attack": name, "out-dir": str(path)} | needs(rule)
        if attack.knowledge == "server" or attack.rule:
            in_local(config)
        else:
            run(InProcessGrid(client_app, 1, config), config)
        summary, rounds = read_summary(path), read_rounds(path)
        assert (summary["status"], len(rounds)) == ("finished", ROUNDS), name
        dropped = on_floats and name == "inf"  # no float row of infinities is valid
        expected = {"non-finite": [0, 1]} if dropped else {}
        assert all(r["dropped"] == expected and "skipped" not in r for r in rounds), name
        assert np.isfinite(models[-1]).all() and np.isfinite(summary["final_test_loss"]), name
        says = rule in SAY_WHOM_THEY_ACCEPT and "fallback" not in rounds[0]
        rates = {"byzantine_accepted", "honest_rejected"} if says else set()
        promised = set() if name == "none" else {"wrong_signs"} | rates
        if dropped:  # nobody can be judged of whom there is no row
            promised.discard("byzantine_accepted")
        for record in rounds:
            scores = {key: record[key] for key in rates | {"wrong_signs"} if key in record}
            assert set(scores) == promised and all(0 <= s <= 1 for s in scores.values()), name
    if rule == "mean":  # which every Byzantine worker moves
        assert not any(np.array_equal(model, models[0]) for model in models[1:])
