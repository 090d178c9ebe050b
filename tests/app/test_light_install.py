"""The bare install serves a device; what an extra brings is named where it is missing."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from signfed.app.errors import EXTRA_OF, ConfigError, installed

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(EXTRA_OF)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""
OWN = """
import torch
from torch import nn
from signfed import Dataset

def waves(data_dir, download):
    y = torch.arange(120) % 2
    x = torch.sin(torch.linspace(0, 6.28, 16) * (1 + y[:, None]))
    return Dataset(x[:100], y[:100], x[100:], y[100:])

def net(spec):
    return nn.Linear(spec.input_shape[0], spec.num_classes)
"""
DEVICE = """
import json
from pathlib import Path
from typer.testing import CliRunner
from signfed.app.cli import app
from tests.federation import federate

names = {"task": "waves_here:waves", "model": "waves_here:net", "batch_size": 4}
done = federate(Path("run"), nodes=2, num_rounds=2, **names)
found = {"status": done.summary["status"], "compiler": "torch._dynamo" in sys.modules}
found["said"] = [CliRunner().invoke(app, command).output for command in json.loads(sys.argv[1])]
print(json.dumps(found))
"""
SAID = [
    (["run", "-c", "task='digits'", "--engine", "local"], "task='digits' needs the package sk"),
    (["run", "-c", "task='mnist'", "--engine", "local"], "task='mnist' needs the package torc"),
    (["run", "-c", "task='quadratic'"], "--engine flower needs the package ray, which is not "),
    (["report", "run"], "a picture needs the package matplotlib, which is not in"),
    (["export", "run", "--out", "run.zip"], "signfed export needs the package rocrate, which is"),
    (
        ["data", "-c", "task='waves_here:waves' model='waves_here:net' batch-size=4"],
        "the picture needs the package matplotlib, which is not installed; expected: pip "
        "install 'signfed[report]'",
    ),
]


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """What a process finds that has none of the extras."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "waves_here.py").write_text(OWN)
    commands = json.dumps([command for command, _ in SAID])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + DEVICE, commands],
        cwd=folder, env={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_server_and_nodes_of_a_run_need_no_extra(without):
    assert without["status"] == "finished"


def test_a_node_does_not_load_torchs_compiler(without):
    """torch.optim's classes import it: time and memory that a device may not have."""
    assert not without["compiler"]


@pytest.mark.parametrize("i", range(len(SAID)))
def test_what_needs_an_extra_says_which(i, without):
    assert f"error: {SAID[i][1]}" in without["said"][i]


def test_another_missing_package_is_not_ours_to_explain():
    with pytest.raises(ModuleNotFoundError), installed("this"):
        import no_such_package  # noqa: F401
    with (
        pytest.raises(ConfigError, match=r"this needs .* ray, .*'signfed\[simulation\]'"),
        installed("this"),
    ):
        raise ModuleNotFoundError(name="ray.util")


def test_pyproject_puts_each_package_where_the_error_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {"sklearn": "scikit-learn", "ray": "flwr[simulation]"}
    for package, extra in EXTRA_OF.items():
        assert find_spec(package)
        name = named.get(package, package)
        listed = project["optional-dependencies"][extra]
        assert any(requirement.startswith(name) for requirement in listed)
        assert not any(requirement.startswith(name) for requirement in project["dependencies"])
