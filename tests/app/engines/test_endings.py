"""How a run ends on the terminal: status, exit code, and the reason in the last line."""

from __future__ import annotations

import json
import re
import resource
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.client_app import app as client_app
from signfed.app.flower import local_flower
from signfed.app.flower.environment import FlowerError
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.server_app import run
from tests.app.engines.commands import last_line
from tests.grid import InProcessGrid

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

    monkeypatch.setattr(local_flower.LocalFlower, "_start_superlink", fails)
    result = signfed("run", "--out", "run", "-c", "num-rounds=3")
    assert result.exit_code == 1
    assert last_line(result.output) == (
        "the run failed: Flower's SuperLink did not start: no ports"
    )
    assert read_summary(tmp_path / "run")["status"] == "failed"
    assert not (tmp_path / "run" / "report.html").exists(), "there is no round to report"


class InProcess:
    """In place of a Flower of one's own: the run in this process, and as little said of its end."""

    def __init__(self, log, ray_address):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit(self, values, federation):
        with suppress(Exception):
            run(InProcessGrid(client_app, 2, values), values)
        return "1"


FAILS_IN_ROUND_2 = """
from signfed import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        if updates.server_round == 2:
            raise ArithmeticError("this rule fails")
        return updates.dense()[0]
"""
NO_DATA_ON_NODES = """
import torch
from signfed import Dataset

loaded = []

def load(data_dir, download):
    loaded.append(data_dir)
    if len(loaded) > 2:  # the command and the server
        raise OSError("no such disk")
    x, y = torch.zeros(2000, 64), torch.arange(2000) % 4
    return Dataset(x, y, x, y)
"""


@pytest.mark.parametrize(
    "module, config, rounds, said",
    [
        (
            FAILS_IN_ROUND_2, "strategy='own_1:Fails'", 1,
            r"ArithmeticError: this rule fails \(.*own_1\.py, line 7\)",
        ),
        (
            NO_DATA_ON_NODES,
            "task='own_0:load' model='mlp' strategy='sign-mv' node-timeout=600.0", 0,
            "FederationError: 2 of 2 nodes take no part, .* OSError: no such disk .*",
        ),
    ],
)  # fmt: skip
def test_a_run_that_fails_in_flower_says_why_in_its_last_line(
    module, config, rounds, said, signfed, monkeypatch, tmp_path
):
    (tmp_path / f"own_{rounds}.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(local_flower, "LocalFlower", InProcess)
    result = signfed("run", "--out", "run", "-c", config)
    summary = read_summary(tmp_path / "run")
    assert (summary["status"], summary["rounds"]) == ("failed", rounds)
    assert result.exit_code == 1 and re.fullmatch(said, summary["error"])
    assert last_line(result.output) == f"the run failed: {summary['error']}"


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

    monkeypatch.setattr(local_flower.LocalFlower, "_start_superlink", second)
    signfed("run", "--out", "run", "-c", "num-rounds=3")
    assert [result.exit_code for result in results] == [2]
    assert "another run has just taken" in results[0].output
    assert read_rounds(Path("run")) == []


@pytest.mark.parametrize("engine", ["local", "flower"])
def test_a_disk_that_takes_no_word_of_a_run_that_goes_on_is_exit_code_2(signfed, tmp_path, engine):
    """The summary of the attempt before says "finished"; it is not this one's."""
    assert signfed(*LOCAL, "--out", "run", "-c", "num-rounds=3").exit_code == 0
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    again = ("run", "--engine", engine, "--no-report", "--resume", "run", "-c", "num-rounds=5")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        result = signfed(*again)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 2 and "finished" not in result.output
    assert "resume: cannot write to the run folder" in last_line(result.output)
    assert {file: file.read_bytes() for file in before} == before


def test_the_end_of_the_attempt_before_is_not_that_of_one_that_fails(
    signfed, monkeypatch, tmp_path
):
    """Where the disk fills between the first word of an attempt and its next."""
    assert signfed(*LOCAL, "--out", "run", "-c", "num-rounds=3").exit_code == 0

    def full(*arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("signfed.app.engines.run.RunFolder", full)
    result = signfed(*LOCAL, "--resume", "run", "-c", "num-rounds=5")
    assert result.exit_code == 1 and "finished" not in result.output
    assert "No space left on device" in last_line(result.output)
