"""Where the record of another's app goes on and where it does not, without an app."""

from __future__ import annotations

import json

import pytest
import torch

from signfed.app.errors import ConfigError
from signfed.app.runs.folder import read_config, read_rounds, read_summary, set_status
from signfed.app.runs.recorder import RunRecorder
from signfed.app.runs.scoring import Scorer
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.record import RoundRecord


def carried_out(recorder, rounds, **config):
    recorder.begin(config, 1, rounds)
    for server_round in range(recorder.resume[0] + 1, rounds + 1):
        recorder.after_round(RoundRecord(server_round), lambda: {"x": torch.ones(1)})
    recorder.end(torch.ones(1), None)


@pytest.mark.parametrize("key", ["node_timeout", "fraction_evaluate", "min_evaluate_nodes"])
def test_what_rounds_that_are_done_do_not_depend_on_may_change(key, tmp_path):
    carried_out(RunRecorder(tmp_path, None), 2, **{key: 1})
    carried_out(RunRecorder(None, tmp_path), 3, **{key: 2})
    assert read_config(tmp_path) == {key: 2, "num_rounds": 3}
    assert [line["round"] for line in read_rounds(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_fewer_rounds_than_are_done_cannot_be_asked_for(status, tmp_path):
    carried_out(RunRecorder(tmp_path, None), 2)
    set_status(tmp_path, status)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ConfigError, match="round 2 of 1 is done, nothing is left"):
        RunRecorder(None, tmp_path).begin({}, 1, 1)
    assert {file: file.read_bytes() for file in before} == before


def test_the_time_of_earlier_attempts_counts(tmp_path):
    carried_out(RunRecorder(tmp_path, None), 2)
    facts = tmp_path / "checkpoints" / "round-000002" / "checkpoint.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"seconds": 1000.0}))
    carried_out(RunRecorder(None, tmp_path), 3)
    assert 1000.0 <= read_summary(tmp_path)["seconds"] < 2000.0


def test_the_folder_of_the_run_may_be_named_twice(tmp_path):
    """As in a script that always says where its run goes."""
    carried_out(RunRecorder(tmp_path, None), 2)
    carried_out(RunRecorder(tmp_path / "checkpoints" / "..", str(tmp_path)), 3)
    assert read_summary(tmp_path)["rounds"] == 3


def test_a_folder_may_be_below_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    carried_out(RunRecorder("~/run", None), 2)
    carried_out(RunRecorder(None, "~/run"), 3)
    assert read_summary(tmp_path / "run")["rounds"] == 3


def test_a_round_without_the_byzantine_workers_is_scored_as_well():
    """As in signfed's own app; all of the three are honest, and rejected is one of them."""
    updates = Updates(
        torch.tensor([0, 1, 2]), 1, 2, torch.tensor([[1.0, 1], [1, -1], [1, -1]]), False
    )
    of_round = updates, torch.tensor([1.0, 1.0]), {"accepted": [0, 1]}
    found = RunRecorder(None, None).observe(lambda: {7})(*of_round)
    assert found == Scorer({7})(*of_round)
    assert found == {"honest_rejected": 1 / 3, "wrong_signs": 0.5}
    assert RunRecorder(None, None).observe(set)(*of_round) == {}
