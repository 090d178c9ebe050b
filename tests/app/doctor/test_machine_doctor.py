"""`signfed doctor`: each fault of a machine is named by one check, with what mends it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.doctor.checks import WITHOUT, examine_machine
from signfed.app.doctor.machine import Card, Cards, Machine, talks_to_itself
from signfed.app.flower.environment import FlowerError

NEEDED = [
    "flwr<1.43,>=1.41", "torch>=2.5", "flwr[simulation]<1.43,>=1.41; extra == 'simulation'",
    "scikit-learn>=1.4; extra == 'simulation'", "matplotlib>=3.9; extra == 'report'",
    "signfed[simulation]; extra == 'course'", "pillow>=10; extra == 'images'",
]  # fmt: skip
HERE = {
    "signfed": "0.1.0", "flwr": "1.41.0", "torch": "2.15.0", "ray": "2.55.1", "pillow": "13.0",
    "scikit-learn": "1.9.1", "matplotlib": "3.11.2",
}  # fmt: skip


def without(*names: str, **others: str) -> dict[str, object]:
    """A machine on which these packages are missing, or of another version."""
    there = {name: HERE[name] for name in HERE if name not in names} | others
    return {"installed": there.get}


@pytest.fixture
def sound(tmp_path):
    """A machine on which everything works."""
    return Machine(
        folder=tmp_path, installed=HERE.get, needed=lambda: NEEDED, cores=lambda: 4,
        load=lambda: 1.0, cards=Cards, talks_to_itself=lambda: None, program=lambda name: name,
        free_disk=lambda at: 10**11, free_memory=lambda: 10**10,
    )  # fmt: skip


def raising(error):
    def broken(*_, **__):
        raise error

    return broken


def test_nothing_is_wrong_with_a_sound_machine(sound):
    found = examine_machine(sound)
    assert {finding.level for finding in found} == {"ok"}
    assert [finding.check for finding in found] == [
        "python", "packages", "cores", "memory", "gpu", "flower", "ports", "folder", "disk",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fault, check, level, text, mend",
    [
        (without(flwr="1.43.0"), "packages", "error", "flwr 1.43.0; expected", "'flwr<1.43,"),
        (without("torch"), "packages", "error", "torch missing; expected >=2.5", "'torch>=2.5'"),
        (without("ray"), "extras", "warning", "no Flower simulation", "'signfed[simulation]'"),
        (without("scikit-learn"), "extras", "warning", "no digits", "'signfed[simulation]'"),
        (without("matplotlib"), "extras", "ok", "report: no report", "'signfed[report]'"),
        (without(matplotlib="3.8.1"), "extras", "ok", "matplotlib 3.8.1", "'signfed[report]'"),
        (without("pillow"), "extras", "ok", "images: no images", "'signfed[images]'"),
        ({"load": lambda: 9.0}, "cores", "warning", "load 9.0: runs will take long", "top"),
        ({"free_memory": lambda: 10**9}, "memory", "warning", "1.0 GB of memory",
         "--engine local"),
        ({"free_memory": lambda: 10**8}, "memory", "error", "100 MB of memory free", "free -h"),
        ({"cards": lambda: Cards(problem="for CUDA 13")}, "gpu", "warning", "no GPU", "nvidia-smi"),
        ({"cards": raising(OSError("libcudart"))}, "gpu", "error", "libcudart", "pip install"),
        ({"program": raising(FlowerError("flwr: found neither"))}, "flower", "error", "neither",
         "put right"),
        ({"talks_to_itself": raising(OSError(1, "not permitted"))}, "ports", "error",
         "not permitted", "--engine local"),
        ({"free_disk": lambda at: 10**7}, "disk", "error", "10 MB free", "du -xh"),
        ({"free_disk": lambda at: 5 * 10**8}, "disk", "warning", "500 MB free", "du -xh"),
    ],
)  # fmt: skip
def test_a_fault_is_named_once_with_what_mends_it(sound, fault, check, level, text, mend):
    found = examine_machine(replace(sound, **fault))
    named = [each for each in found if each.level != "ok" or each.remedy]
    assert [(each.check, each.level) for each in named] == [(check, level)]
    assert text in named[0].found and mend in named[0].remedy


def test_a_gpu_is_named_with_its_memory(sound):
    card = Card("H100", 70_000_000_000, 80_000_000_000)
    found = examine_machine(replace(sound, cards=lambda: Cards((card,))))
    assert "H100, 70 of 80 GB free" in [each.found for each in found]


def test_a_folder_that_cannot_be_written_to_or_hides_a_module(sound, tmp_path, monkeypatch):
    (tmp_path / "torch.py").touch()
    found = {each.check: each for each in examine_machine(sound)}
    assert found["folder"].level == "error" and "hides the package 'torch'" in found["folder"].found
    (tmp_path / "torch.py").unlink()
    full = raising(PermissionError(13, "Permission denied"))
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    found = {each.check: each for each in examine_machine(sound)}
    assert found["folder"].level == "error" and "Permission denied" in found["folder"].found


def test_this_machine_talks_to_itself():
    talks_to_itself()


def test_the_command_looks_at_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(app, ["doctor", "--format", "json"])
    said = json.loads(run.output)
    assert run.exit_code == 0 and said["ok"] and said["command"] == "doctor"
    assert {"python", "packages", "gpu", "flower", "ports"} <= {
        each["check"] for each in said["findings"]
    }
    assert not list(tmp_path.iterdir())
    (tmp_path / "numpy.py").touch()
    run = CliRunner().invoke(app, ["doctor"])
    assert run.exit_code == 1 and "numpy.py: hides" in run.output


def test_every_extra_that_serves_users_is_looked_at():
    import tomllib

    root = Path(__file__).resolve().parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {*WITHOUT} == {*project["optional-dependencies"]} - {"test", "docs", "dev"}
