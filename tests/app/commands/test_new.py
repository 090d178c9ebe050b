"""`signfed new`: what it makes is the example under another name, and it never overwrites."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.commands.new import EXAMPLE, KINDS, make, names_of
from signfed.app.errors import ConfigError


def texts_of(folder):
    files = [file for file in folder.rglob("*") if file.suffix in KINDS]
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}


def test_the_example_is_what_it_makes(tmp_path):
    made = texts_of(make("my_strategy", tmp_path))
    assert made == texts_of(EXAMPLE) and len(made) >= 8


def test_nothing_keeps_the_example_s_name(tmp_path):
    made = texts_of(make("clipped-mean", tmp_path))
    assert len(made) == len(texts_of(EXAMPLE))
    assert not any("my_strategy" in each.lower() for each in (*made, *made.values()))
    assert not any("mystrategy" in text.lower() for text in made.values())
    assert "class ClippedMean(RobustStrategy)" in made["clipped_mean/strategy.py"]
    project = tomllib.loads(made["pyproject.toml"])
    assert project["project"]["name"] == "clipped-mean"
    component = project["tool"]["flwr"]["app"]["components"]["serverapp"]
    assert component == "clipped_mean.server_app:app"


def test_its_own_tests_pass(tmp_path):
    made = make("clipped-mean", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=made, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout


def test_the_command_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["new", "mine"])
    assert done.exit_code == 0, done.output
    assert "signfed check mine.strategy:Mine" in done.output
    (tmp_path / "mine" / "README.md").write_text("my own text")
    again = CliRunner().invoke(app, ["new", "mine"])
    assert again.exit_code == 2 and "there is something already" in again.output
    assert (tmp_path / "mine" / "README.md").read_text() == "my own text"


@pytest.mark.parametrize(
    "name",
    ["", "Mine", "1st", "a b", "../mine", "mine/", "-mine", "mine_", "m" * 33, "naïve",
     "class", "json", "torch", "signfed", "tensor", "updates",
     "robust-strategy", "pytest", "tests"],
)  # fmt: skip
def test_names_that_will_not_do(name, tmp_path):
    with pytest.raises(ConfigError, match="name: expected"):
        make(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_name_at_its_longest():
    assert names_of("m" * 32)["my_strategy"] == "m" * 32
