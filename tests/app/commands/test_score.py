"""What an attack cost: the numbers, and that they come from two runs that differ in it alone."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.commands.score import check_control, control_config, control_of
from signfed.app.config.keys import KEYS as RUN_CONFIG
from signfed.app.config.keys import KIND_OF, defaults
from signfed.app.engines import run as module
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.errors import ConfigError
from signfed.app.report.impact import impact
from signfed.app.runs.folder import read_rounds, read_summary

KEYS = {
    "strategy": "sign-mv", "attack": "stochastic-sign-flip",
    "stochastic-sign-flip.probability": 0.9, "byzantine-ids": "random",
    "num-rounds": 6, "evaluate-every": 2, "lr": 0.003,
}  # fmt: skip


@pytest.fixture
def attacked(tmp_path):
    """The folder of a run under attack, whose Byzantine workers are drawn at random."""
    return execute(prepare(KEYS | {"out-dir": str(tmp_path / "run")}), local_engine)


@pytest.fixture
def runs(monkeypatch):
    """The configs of the runs that a control needed."""
    started, real = [], module.execute

    def counting(config, *arguments, **more):
        started.append(config)
        return real(config, *arguments, **more)

    monkeypatch.setattr(module, "execute", counting)
    return started


def written(path, config=KEYS, **summary):
    """A run folder of which only this is known."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"config": defaults() | config}))
    (path / "summary.json").write_text(json.dumps({"status": "finished", **summary}))
    return path


def test_a_control_is_the_run_without_attack_options_and_folder():
    kept = {"lr": 0.5, "num-byzantine": 3, "assumed-byzantine": -1, "seed": 7}
    of_the_attack = {"attack": "lie", "lie.z": 2.0, "byzantine-ids": "0,3,5", "out-dir": "x"}
    assert control_config(kept | of_the_attack) == kept | {"attack": "none"}
    whole = control_config(defaults())
    own = {key for key, option in RUN_CONFIG.items() if KIND_OF.get(option.owner) == "attack"}
    left_out = own | {"attack-options", "byzantine-ids", "out-dir"}
    assert set(whole) == set(defaults()) - left_out and "lie.z" in own


def test_a_control_is_run_once(attacked, runs):
    control = control_of(attacked)
    assert control == attacked / "control" and read_summary(control)["status"] == "finished"
    before = (control / "summary.json").read_bytes()
    assert control_of(attacked) == control and len(runs) == 1
    assert (control / "summary.json").read_bytes() == before


def test_a_control_is_the_run_that_one_would_have_made_oneself(attacked, tmp_path):
    plain = {key: KEYS[key] for key in ("strategy", "num-rounds", "evaluate-every", "lr")}
    own = plain | {"attack": "none", "out-dir": str(tmp_path / "own")}
    own = execute(prepare(own), local_engine)
    control = control_of(attacked)
    check_control(attacked, own)
    sha256 = [read_summary(path)["model_sha256"] for path in (own, control, attacked)]
    assert sha256[0] == sha256[1] != sha256[2]
    assert impact(attacked, own) == impact(attacked, control)
    assert not any("wrong_signs" in record for record in read_rounds(control))


def test_a_run_of_before_is_scored_whose_keys_do_nothing(attacked, score):
    """It was recorded before such keys were refused."""
    file = attacked / "config.json"
    described = json.loads(file.read_text())
    described["config"] |= {
        "strategy": "sign-fd", "sign-fd.eps": 0.5, "lr-gamma": 0.5, "stop-when": "",
    }  # fmt: skip
    file.write_text(json.dumps(described))
    result = score(attacked)
    assert result.exit_code == 0, result.output


def test_impact_by_hand(tmp_path):
    run = written(
        tmp_path / "run", final_test_accuracy=0.5, best_test_accuracy=0.75, final_test_loss=9.0,
        byzantine_accepted=0.25, wrong_signs=0.125,
    )  # fmt: skip
    control = written(
        tmp_path / "control", {**KEYS, "attack": "none", "stochastic-sign-flip.probability": 0.5},
        final_test_accuracy=0.875, best_test_accuracy=1.0,
    )  # fmt: skip
    assert impact(run, control) == {
        "final_test_accuracy": {"run": 0.5, "control": 0.875, "impact": 0.375},
        "best_test_accuracy": {"run": 0.75, "control": 1.0, "impact": 0.25},
        "byzantine_accepted": {"run": 0.25},
        "wrong_signs": {"run": 0.125},
    }


def test_without_accuracies_there_are_the_scores(tmp_path):
    quadratic = {"task": "quadratic", "out-dir": str(tmp_path / "run")}
    path = execute(prepare(KEYS | quadratic), local_engine)
    found = read_summary(path)["wrong_signs"]
    assert impact(path, control_of(path)) == {"wrong_signs": {"run": found}}


@pytest.mark.parametrize("other", [{"lr": 0.001}, {"num-byzantine": 5}, {"seed": 1}])
def test_a_control_that_differs_in_more_is_refused(other, tmp_path):
    scores = {"final_test_accuracy": 0.5, "best_test_accuracy": 0.5}
    run, control = (
        written(tmp_path / "a", **scores),
        written(tmp_path / "b", {**KEYS, "attack": "none", **other}, **scores),
    )
    with pytest.raises(ConfigError, match=r"b: expected a run that differs .* in the attack alone"):
        check_control(run, control)


def test_the_strongest_attack_has_its_impact(tmp_path, score):
    """What was measured before the model broke is not what the run came to."""
    run = written(
        tmp_path / "run", status="diverged", diverged_round=3, final_test_accuracy=0.75,
        best_test_accuracy=0.875,
    )  # fmt: skip
    control = written(
        tmp_path / "control", {**KEYS, "attack": "none"}, final_test_accuracy=0.75,
        best_test_accuracy=1.0,
    )  # fmt: skip
    assert impact(run, control) == {
        "final_test_accuracy": {"run": 0.0, "control": 0.75, "impact": 0.75},
        "best_test_accuracy": {"run": 0.875, "control": 1.0, "impact": 0.125},
    }
    result = score(run, "--control", control)
    assert result.exit_code == 0 and "diverged in round 3" in result.output
    with pytest.raises(ConfigError, match="control: expected a finished run, found 'diverged'"):
        impact(control, written(tmp_path / "other" / "control", status="diverged"))


def test_a_run_that_ends_at_an_accuracy_is_not_scored(score, tmp_path, runs):
    run = written(tmp_path / "run", {**KEYS, "stop-when": "accuracy>=0.9"}, final_test_accuracy=0.9)
    result = score(run)
    assert (
        result.exit_code == 2 and "expected a run that does not end at an accuracy" in result.output
    )
    assert not runs


@pytest.mark.parametrize("which", ["run", "control"])
@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_a_run_that_did_not_finish_has_no_impact(which, status, tmp_path):
    state = {"run": "finished", "control": "finished", which: status}
    run, control = (written(tmp_path / name, status=state[name]) for name in state)
    with pytest.raises(ConfigError, match=f"{which}: expected a finished run, found '{status}'"):
        impact(run, control)


def test_a_folder_that_holds_no_run_is_refused(tmp_path):
    run = written(tmp_path / "run")
    for call in (lambda: control_of(tmp_path), lambda: check_control(run, tmp_path)):
        with pytest.raises(ConfigError, match=r"expected a run folder, with config\.json in it"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_control_that_broke_off_is_not_written_over(attacked, runs):
    written(attacked / "control", status="interrupted")
    with pytest.raises(ConfigError, match="found 'interrupted'; remove that folder"):
        control_of(attacked)


@pytest.fixture
def score(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.app, ["score", *map(str, arguments)])


def test_the_command_shows_what_impact_found(score, attacked, runs):
    first, again = score(attacked), score(attacked.name)
    assert first.exit_code == again.exit_code == 0 and first.output == again.output
    assert len(runs) == 1
    lines = {line.strip("│ ").split("│")[0].strip(): line for line in first.output.splitlines()}
    for name, row in impact(attacked, attacked / "control").items():
        shown = [part.strip() for part in lines[name.replace("_", " ")].strip("│").split("│")]
        assert shown[1:] == [f"{value:.4f}" for value in row.values()] + [""] * (3 - len(row))


def test_the_command_takes_a_control_that_is_there(score, attacked, runs, tmp_path):
    """A run without attack beside itself: nothing lost."""
    config = {"attack": "none", "num-rounds": 2, "out-dir": str(tmp_path / "plain")}
    plain = execute(prepare(config), local_engine)
    result = score(plain, "--control", plain)
    assert result.exit_code == 0 and not runs and not (plain / "control").exists()
    assert result.output.count("0.0000") == 2


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1, 2]", b"{}", b'{"config": []}'])
def test_a_damaged_run_folder_is_named(score, content, tmp_path):
    run, damaged = written(tmp_path / "run"), written(tmp_path / "damaged")
    (damaged / "config.json").write_bytes(content)
    for arguments in ([damaged], [run, "--control", damaged]):
        result = score(*arguments)
        assert result.exit_code == 2 and f"{damaged}/config.json: expected" in result.output


def test_what_the_command_cannot_score_is_exit_code_2(score, attacked, runs, tmp_path):
    plain = {"attack": "none"}
    other = written(tmp_path / "other", KEYS | plain | {"lr": 0.1})
    failed = written(tmp_path / "c", status="failed")
    for arguments, said in (
        ([tmp_path / "nothing"], "nothing: expected a run folder"),
        ([attacked, "--control", tmp_path], "expected a run folder"),
        ([attacked, "--control", other], "differs from"),
        ([attacked, "--control", attacked], "expected a run with attack='none'; found attack='sto"),
        ([failed, "--control", written(tmp_path / "b", KEYS | plain)], "found 'failed'"),
    ):
        result = score(*arguments)
        assert result.exit_code == 2 and said in result.output and result.output.count("\n") == 1
    assert not runs
