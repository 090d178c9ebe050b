"""Options of a command reach the function that does its work, which is not called in earnest."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app import cli, redteam
from signfed.app.engines import launch
from signfed.app.errors import ConfigError
from signfed.app.experiments import execute, runner
from signfed.app.report import making, tracking
from signfed.app.report.sources import Sources
from signfed.app.tournament import hold
from signfed.app.tournament.fence import Limits
from signfed.app.tournament.match import Game

GAME = Game(num_rounds=5, seed=7, limits=Limits(seconds=3.0, megabytes=128))
CASES = [
    ("sweep a.toml --retry 3 --out b", execute, "run_sweep", {"retries": 3, "folder": Path("b")}),
    (
        "sweep a.toml --address there --gpus-per-cell 0.5", runner, "runner_for",
        {"engine": "local", "processes": None, "address": "there", "gpus_per_cell": 0.5},
    ),
    (
        "tournament here --byzantine 2,4 --rounds 5 --seed 7 --seconds 3 --memory 128",
        hold, "matches_of", {"folder": Path("here"), "byzantine": (2, 4), "game": GAME},
    ),
    (
        "redteam --strategies mean --attacks lie --seeds 3 --grid 5 --refinements 1",
        redteam, "red_team", {"seeds": 3, "grid": 5, "refinements": 1},
    ),
    (
        "run -c task='quadratic' --ray-address there:1", launch, "on_flower",
        {"ray_address": "there:1"},
    ),
]  # fmt: skip


@pytest.fixture
def command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda line: CliRunner().invoke(cli.app, line.split())


@pytest.mark.parametrize("line, module, name, expected", CASES)
def test_options_reach_the_work(command, monkeypatch, line, module, name, expected):
    Path("a.toml").write_text("[config]\ntask = 'quadratic'\n")
    real, found = inspect.signature(getattr(module, name)), {}

    def noted(*given, **more):
        found.update(real.bind(*given, **more).arguments)
        raise ConfigError("no more is wanted")

    monkeypatch.setattr(module, name, noted)
    result = command(line)
    assert result.exit_code == 2 and "no more is wanted" in result.output
    assert {key: found.get(key) for key in expected} == expected


def test_event_files_are_written_beside_the_report_where_they_are_wanted(command, monkeypatch):
    asked = []
    page, found = Path("here/a.html"), Sources()
    monkeypatch.setattr(making, "make", lambda folders, out: (page, found))
    monkeypatch.setattr(
        tracking, "write_events", lambda runs, folder: asked.append((runs, folder)) or "events"
    )
    assert command("report .").output == "report here/a.html\n" and asked == []
    assert "tensorboard --logdir 'events'" in command("report . --tensorboard").output
    assert asked == [({}, Path("here/a"))]
