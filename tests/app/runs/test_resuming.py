"""What may change between two attempts of one run, and what it goes on after."""

from __future__ import annotations

import json
import shutil

import pytest

from signfed.app.config.keys import KEYS
from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.runs.folder import set_status
from signfed.app.runs.resuming import lost_memories, resumed
from tests.federation import in_local

TWO = {"task": "quadratic", "num-rounds": 2, "strategy": "mean", "device": "cpu"}
# Where a run is carried out, how long it waits, what it shows: all that changes no round.
FREE = {
    "num-rounds": 7, "evaluate-every": 1, "checkpoint-every": 1, "stop-when": "stale=3",
    "round-timeout": 7.0, "node-timeout": 7.0, "data-dir": "elsewhere", "download": True,
    "device": "auto", "roster": "nodes",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two rounds that was broken off after its last."""
    path = tmp_path_factory.mktemp("run")
    in_local(TWO | {"out-dir": str(path)})
    set_status(path, "interrupted")
    return path


def goes_on_after(path, *, without=(), **changed):
    given = TWO | {"num-rounds": 3, "resume": str(path)}
    given |= {key.replace("_", "-"): value for key, value in changed.items()}
    given = {key: value for key, value in given.items() if key not in without}
    found = resumed(parse(given), given)
    return found and found.server_round


@pytest.mark.parametrize("key", FREE)
def test_what_changes_no_round_may_change(key, run):
    assert goes_on_after(run, **{key: FREE[key]}) == 2


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_fewer_rounds_than_are_done_cannot_be_asked_for(status, run):
    """Its model would be that of more rounds."""
    set_status(run, status)
    assert goes_on_after(run, num_rounds=2) == 2  # only to be ended
    with pytest.raises(ConfigError, match=r"round 2 of 1 is done, .* expected num-rounds above 2"):
        goes_on_after(run, num_rounds=1)


def test_the_run_itself_may_be_named_as_where_it_goes(run):
    for place in (run, run / "checkpoints" / "round-000002"):
        assert goes_on_after(place, out_dir=str(run)) == 2
    with pytest.raises(ConfigError, match="out-dir: expected none beside resume"):
        goes_on_after(run, out_dir=str(run / "other"))


def test_a_key_that_is_left_out_has_its_default(run):
    assert goes_on_after(run, lr=KEYS["lr"].default) == 2  # of the run it was left out
    with pytest.raises(ConfigError, match="strategy='mean', not 'sign-fd'"):
        goes_on_after(run, without=["strategy"])


def test_a_key_that_is_new_had_its_default(run, tmp_path):
    """As for a run that an earlier signfed began."""
    path = tmp_path / "run"
    shutil.copytree(run, path)
    facts = path / "checkpoints" / "round-000002" / "checkpoint.json"
    found = json.loads(facts.read_text())
    del found["config"]["momentum"]
    facts.write_text(json.dumps(found))
    assert goes_on_after(path) == 2
    with pytest.raises(ConfigError, match=r"momentum=0\.0, not 0\.9"):
        goes_on_after(path, momentum=0.9)


def test_nobody_knows_anything_where_nobody_is_byzantine(tmp_path):
    keys = {"attack": "weight-aware", "num-byzantine": 0}
    in_local(TWO | keys | {"out-dir": str(tmp_path)})
    assert goes_on_after(tmp_path, **keys) == 2


@pytest.mark.parametrize(
    "keys, kept, lost",
    [
        ({}, "rule.x", False),
        ({"worker-momentum": 0.9}, "rule.x", True),
        ({"worker-momentum": 0.9}, "worker-3.momentum", False),
        ({"attack": "poisoned-fl"}, "rule.x", True),
        ({"attack": "poisoned-fl"}, "worker-0.attack.model", False),
        ({"attack": "poisoned-fl", "num-byzantine": 0}, "rule.x", False),
    ],
)
def test_what_workers_remember_is_lost_where_some_did_and_no_state_has_it(keys, kept, lost):
    assert lost_memories(parse({"strategy": "mean", **keys}), {kept: 1}) == lost
