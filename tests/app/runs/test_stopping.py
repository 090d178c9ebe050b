"""`stop-when`: when a run ends early, that its record says so, and that it stays ended."""

from __future__ import annotations

import re

import pytest

from signfed.app.config.run_config import parse
from signfed.app.config.stopping import StopWhen, stop_when
from signfed.app.errors import ConfigError
from signfed.app.runs.folder import read_rounds
from signfed.app.runs.stopping import Stopping
from tests.federation import config_for, federate, in_local, locally, outcome

QUICK = {"task": "digits", "strategy": "sign-mv", "attack": "none", "lr": 0.003}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", StopWhen()),
        ("accuracy>=0.9", StopWhen(0.9)),
        ("stale=5", StopWhen(stale=5)),
        (" stale = 5 , accuracy >= 1", StopWhen(1.0, 5)),
    ],
)
def test_what_it_takes(text, expected):
    assert stop_when(text) == expected and parse({"stop-when": text}).stop_when == expected


@pytest.mark.parametrize(
    "text", ["0.9", "accuracy=0.9", "accuracy>=high", "stale>=5", "stale=2,stale=3", "loss>=1"]
)
def test_what_it_does_not_take(text):
    expected = re.escape("expected 'accuracy>=0.9', 'stale=5', or both with a comma between; got")
    with pytest.raises(ConfigError, match=f"stop-when: {expected}"):
        parse({"stop-when": text})


def test_values_that_cannot_be():
    with pytest.raises(ConfigError, match="accuracy above 0 and of at most 1; got 90"):
        parse({"stop-when": "accuracy>=90"})
    with pytest.raises(ConfigError, match="at least 1 stale evaluation; got 0"):
        parse({"stop-when": "stale=0"})
    with pytest.raises(ConfigError, match="task='quadratic' has no accuracy; expected 'stale=5'"):
        parse({"task": "quadratic", "stop-when": "accuracy>=0.5"})


def line(server_round, accuracy, loss):
    return {"round": server_round, "test_accuracy": accuracy, "test_loss": loss}


def test_nothing_improves_by_hand():
    """A better loss counts as progress, and an equal accuracy does not; rounds between do not."""
    stopping = Stopping(StopWhen(stale=2))
    evaluated = [line(1, 0.5, 2.0), line(2, 0.5, 1.9), {"round": 3}, line(4, 0.4, None)]
    assert [stopping.after(each) for each in evaluated] == [False] * 4
    assert stopping.after(line(5, 0.5, 1.9)) and stopping.round == 5
    assert stopping.after(line(6, 0.9, 0.1)) and stopping.round == 5, "it stays ended"


def test_enough_by_hand():
    stopping = Stopping(StopWhen(0.9), [line(1, 0.89, 2.0)])
    assert stopping.reason == "" and stopping.after(line(2, 0.9, 2.0))
    assert stopping.reason == "test accuracy 0.9000 >= 0.9"


@pytest.mark.parametrize("engine", [locally, federate])
def test_a_run_ends_when_it_is_good_enough(engine, tmp_path):
    whole = locally(tmp_path / "whole", num_rounds=30, evaluate_every=2, **QUICK)
    reached = next(r for r in whole.rounds if r.get("test_accuracy", 0) >= 0.5)
    assert 2 < reached["round"] < 30
    done = engine(
        tmp_path / "run", num_rounds=30, evaluate_every=2, stop_when="accuracy>=0.5", **QUICK
    )
    assert done.summary["status"] == "finished"
    assert done.summary["rounds"] == done.summary["stopped_round"] == reached["round"]
    assert done.summary["stopped_because"].endswith(">= 0.5")
    assert "stopped_round" not in whole.summary
    assert done.rounds[-1]["test_accuracy"] == reached["test_accuracy"]


def test_a_run_that_ended_early_stays_ended_and_goes_on_when_asked_for_more(tmp_path):
    keys = {"num_rounds": 16, "evaluate_every": 2, **QUICK}
    whole = locally(tmp_path / "whole", **keys)
    done = locally(tmp_path / "run", stop_when="accuracy>=0.3", **keys)
    assert done.summary["rounds"] < 16
    config = config_for(tmp_path / "run", {k.replace("_", "-"): v for k, v in keys.items()})
    config["resume"] = config["out-dir"]
    for again in ("accuracy>=0.3", "accuracy>=0.2"):
        for rounds in (16, 40):
            with pytest.raises(ConfigError, match=r"stop-when=.* ended the run after round"):
                in_local(config | {"stop-when": again, "num-rounds": rounds})
    in_local(config | {"stop-when": ""})
    assert outcome(tmp_path / "run").sha256 == whole.sha256
    assert "stopped_round" not in outcome(tmp_path / "run").summary


def test_what_was_seen_before_an_interruption_counts(tmp_path):
    """Without the evaluations of rounds 1 to 4, a resumed run would go on for longer."""
    keys = {"num-rounds": 12, "evaluate-every": 1, "checkpoint-every": 1, "lr": 1e-30}
    still = keys | {"task": "quadratic", "strategy": "mean", "attack": "none"}
    in_local(config_for(tmp_path / "run", still | {"num-rounds": 4}))
    config = config_for(tmp_path / "run", still | {"stop-when": "stale=6"})
    in_local(config | {"resume": config["out-dir"]})
    found = outcome(tmp_path / "run").summary
    assert found["stopped_round"] == len(read_rounds(tmp_path / "run")) == 7
