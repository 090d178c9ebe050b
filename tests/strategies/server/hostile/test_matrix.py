"""Every fault of the catalogue on every channel, and every kind of fault against every rule."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from signfed.app.task import Classification, Task
from signfed.clients import ENCODERS
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.optimizer import model_sha256
from tests.federation import federate
from tests.strategies.server.hostile.catalogue import HONEST, VALID, catalogue
from tests.strategies.server.hostile.turn import hostile, signfed, silence
from tests.together import Together

N = 9610  # parameters of the digits model: the last byte of a row of signs has 6 padding bits
# 6 nodes; the last three, heard first, host two of 13 workers each. Without them 7 are left: the
# quorum, an odd number for election, 4 f + 3 for bulyan with f = 1.
NODES, HOSTILE, HOSTED = 6, (3, 4, 5), 2
KEYS = {
    "nodes": NODES, "num_workers": 13, "num_byzantine": 1, "attack": "none", "batch_size": 8,
    "round_timeout": 0.05,  # the honest replies are there at once: it is what silence costs
}  # fmt: skip

QUICK = {"round_timeout": 0.001}  # where all that is waited for is silence


def channels(rule):
    """A voting rule reads signs; any other one float32 and top-k."""
    codec = ENCODERS[STRATEGIES[rule].encoder]().codec.name
    return ["sign"] if codec == "sign" else ["float32", "top-k"]


CASES = [(rule, channel) for rule in STRATEGIES for channel in channels(rule)]
each_case = pytest.mark.parametrize("rule, channel", CASES)


@pytest.fixture(scope="module")
def shared():
    """What the runs have in common is computed once: data, and a recorded gradient."""
    with pytest.MonkeyPatch.context() as patch:
        together = Together()
        patch.setattr(Task, "problem", lru_cache(Task.problem))
        patch.setattr(Classification, "gradient", lambda *given, **more: together(*given, **more))
        yield


@pytest.fixture
def models(shared, monkeypatch):
    """The models of the runs so far."""
    found = []
    monkeypatch.setattr(
        "signfed.app.runs.saving.model_sha256", lambda x: found.append(x) or model_sha256(x)
    )
    return found


def play(path, rule, channel, plan, **keys):
    """One honest round, then one for each entry of `plan`: what each hostile node sends."""
    rounds = 1 + len(plan)
    dialect = signfed(CODECS[channel], N)
    tamper = {
        node: hostile(dialect, lambda n, i=i: plan[n - 2][i] if n > 1 else None)
        for i, node in enumerate(HOSTILE)
    }
    encoder = {"encoder": "top-k"} if channel == "top-k" else {}
    keys = KEYS | encoder | {"num_rounds": rounds, "evaluate_every": rounds} | keys
    return federate(path, strategy=rule, tamper=tamper, **keys)


def those(channel, kind):
    """(name, entry) of the catalogue's entries of this kind."""
    return [(name, e) for name, e in catalogue(CODECS[channel]).items() if kind(e)]


def in_turns(faults):
    """A plan in which each node sends its share of the faults, the last round filled up."""
    nodes = len(HOSTILE)
    filled = faults + faults[: -len(faults) % nodes]
    return [filled[i : i + nodes] for i in range(0, len(filled), nodes)]


ALL = len(HOSTILE)


def leaves_no_trace(path, rule, channel, faults):
    """Play these faults: each is counted, and the model is that of the run with silent nodes."""
    plan = in_turns(faults)
    sent = [[entry.send for _, entry in turn] for turn in plan]
    done = play(path / "hostile", rule, channel, sent)
    quiet = play(path / "quiet", rule, channel, [[silence] * ALL] * len(plan), **QUICK)
    for turn, dropped in zip(plan, done.dropped[1:], strict=True):
        expected = Counter(reason for _, entry in turn for reason in [entry.end] * HOSTED)
        assert dropped == expected, [name for name, _ in turn]
    assert all(r["received"] == 7 and not {"skipped", "fallback"} & set(r) for r in done.rounds[1:])
    assert done.summary["status"] == quiet.summary["status"] == "finished"
    assert done.sha256 == quiet.sha256


@pytest.mark.parametrize("channel", CODECS)
def test_a_fault_is_counted_and_leaves_no_trace(channel, models, tmp_path):
    """The whole catalogue, once per channel: what checks a reply never sees the rule."""
    rule = next(rule for rule, of in CASES if of == channel)
    leaves_no_trace(tmp_path, rule, channel, those(channel, lambda e: e.dropped))


@each_case
def test_every_rule_goes_on_after_every_kind_of_fault(rule, channel, models, tmp_path):
    """One fault for each reason, in one run: the rule gets the rows that are left."""
    by_reason = {entry.end: (name, entry) for name, entry in those(channel, lambda e: e.dropped)}
    assert len(by_reason) >= 8
    leaves_no_trace(tmp_path, rule, channel, list(by_reason.values()))


@pytest.mark.parametrize("channel", CODECS)
def test_a_lie_that_nobody_reads_changes_nothing(channel, models, tmp_path):
    rule = next(rule for rule, of in CASES if of == channel)
    plan = in_turns([entry.send for _, entry in those(channel, lambda e: e.end == HONEST)])
    done = play(tmp_path / "hostile", rule, channel, plan)
    honest = play(tmp_path / "honest", rule, channel, [[None] * ALL] * len(plan))
    quiet = play(tmp_path / "quiet", rule, channel, [[silence] * ALL] * len(plan), **QUICK)
    assert done.dropped == [{}] * len(done.rounds)
    assert done.sha256 == honest.sha256 != quiet.sha256


@each_case
def test_the_run_goes_on_whatever_finite_rows_say(rule, channel, models, tmp_path):
    """Two of 13 workers: they count as received, the model may change, and stays finite."""
    for name, entry in those(channel, lambda e: e.end == VALID):
        plan = [[None, None, entry.send]] * 2
        done = play(tmp_path / name, rule, channel, plan, num_byzantine=2)
        # One row may drive a mean to where no honest gradient is finite.
        ends = ("finished", "diverged") if rule == "mean" else ("finished",)
        assert done.summary["status"] in ends, name
        assert np.isfinite(models[-1]).all(), name
        if rule != "mean":
            assert done.dropped == [{}] * 3, name
            assert np.isfinite(done.summary["final_test_loss"]), name


def test_the_catalogue_is_long():
    """So that no entry is lost unseen."""
    assert {name: len(catalogue(codec)) for name, codec in CODECS.items()} == {
        "sign": 112, "float32": 119, "top-k": 118,
    }  # fmt: skip


def test_the_documentation_lists_every_fault():
    """docs/hostile.md: | fault | `reason`, received or not read | ..."""
    kinds = {HONEST: "not read", VALID: "received"}
    text = (Path(__file__).parents[4] / "docs/hostile.md").read_text(encoding="utf-8")
    for channel in CODECS:
        for name, entry in catalogue(CODECS[channel]).items():
            assert f"| {name} | {kinds.get(entry.end, f'`{entry.end}`')} |" in text, name
    names = {name for codec in CODECS.values() for name in catalogue(codec)}
    assert f"{len(names)} in all" in text
