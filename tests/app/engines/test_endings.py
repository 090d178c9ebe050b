"""How a run ends on the terminal: status, exit code, and the reason in the last line."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.engines import superlink
from signfed.app.engines.environment import FlowerError
from signfed.app.runs.folder import read_rounds, read_summary
from tests.app.engines.commands import last_line

LOCAL = ("run", "--engine", "local")


@pytest.fixture
def signfed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.app, list(arguments))


@pytest.mark.parametrize("engine", ["local", "flower"])
def test_a_file_in_the_way_of_the_folder_is_exit_code_2(signfed, tmp_path, engine):
    (tmp_path / "here").write_text("")
    for out in ("here", "here/run"):
        result = signfed("run", "--engine", engine, "--out", out)
        assert result.exit_code == 2
        assert f"out-dir: cannot create the run folder {tmp_path / out}" in last_line(result.output)


def test_a_file_in_the_way_of_all_runs_is_exit_code_2(signfed, tmp_path):
    (tmp_path / "signfed-runs").write_text("")
    result = signfed(*LOCAL)
    assert result.exit_code == 2 and "cannot create the run folder" in last_line(result.output)


@pytest.mark.parametrize("bytes_left", [0, 500])
def test_a_disk_that_is_full_before_round_1_is_a_clear_error(signfed, tmp_path, bytes_left):
    """500: enough for nothing but the summary."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        result = signfed(*LOCAL, "--out", "run", "-c", "num-rounds=3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 1
    assert "File too large" in result.output and "status" not in result.output
    assert last_line(result.output).startswith("the run failed: ")


def test_a_run_that_diverges_says_so_and_is_exit_code_1(signfed, tmp_path):
    config = "strategy='mean' lr=1e30 num-rounds=20 evaluate-every=2 num-byzantine=0"
    result = signfed(*LOCAL, "--out", "run", "-c", config)
    summary = read_summary(tmp_path / "run")
    assert result.exit_code == 1 and summary["status"] == "diverged"
    assert 1 <= summary["diverged_round"] <= 20
    assert last_line(result.output).startswith("the run diverged: ")
    assert "diverged round" in result.output

    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    texts = [(tmp_path / "run" / name).read_text() for name in ("config.json", "summary.json")]
    for text in texts + (tmp_path / "run" / "rounds.jsonl").read_text().splitlines():
        json.loads(text, parse_constant=refuse)


def test_a_model_that_overflows_has_diverged_though_no_loss_says_so(signfed, tmp_path):
    config = "strategy='sign-mv' lr=3e38 num-rounds=3 num-byzantine=0 evaluate-every=3"
    result = signfed(*LOCAL, "--out", "run", "-c", config)
    assert result.exit_code == 1 and read_summary(tmp_path / "run")["status"] == "diverged"


def test_when_flower_does_not_start_its_reason_is_the_last_line(signfed, monkeypatch, tmp_path):
    def fails(self):
        raise FlowerError("Flower's SuperLink did not start: no ports")

    monkeypatch.setattr(superlink.LocalFlower, "_start_superlink", fails)
    result = signfed("run", "--out", "run", "-c", "num-rounds=3")
    assert result.exit_code == 1
    assert last_line(result.output) == (
        "the run failed: Flower's SuperLink did not start: no ports"
    )
    assert read_summary(tmp_path / "run")["status"] == "failed"


def test_what_is_interrupted_before_the_run_is_exit_code_130(signfed, monkeypatch, tmp_path):
    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("signfed.app.engines.prepare.prepare", interrupted)
    result = signfed(*LOCAL)
    assert result.exit_code == 130 and list(tmp_path.iterdir()) == []


def test_two_commands_cannot_take_one_folder(signfed, monkeypatch, tmp_path):
    """Both find it empty; the second one comes while the first one starts Flower."""
    results = []

    def second(self):
        results.append(signfed("run", "--out", "run", "-c", "num-rounds=3"))
        raise FlowerError("only to see the second command")

    monkeypatch.setattr(superlink.LocalFlower, "_start_superlink", second)
    signfed("run", "--out", "run", "-c", "num-rounds=3")
    assert [result.exit_code for result in results] == [2]
    assert "another run has just taken" in results[0].output
    assert read_rounds(Path("run")) == []
