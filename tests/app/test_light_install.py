"""The bare install serves a device; what an extra brings is named where it is missing."""

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
from signfed.app.client_app import app
from signfed.app.config.run_config import parse
from signfed.app.task import find_task
from signfed.strategies.registry import STRATEGIES

config = parse({"task": "waves_here:waves", "model": "waves_here:net", "batch-size": 4})
problem = find_task(config.workload.task).problem(config.workload)
gradient = problem.gradient(problem.initial().numpy(), 0, 1)
assert gradient.shape == (34,) and gradient.any()
print("computed")
"""


def python(code, folder):
    command = [sys.executable, "-c", WITHOUT + code]
    path = {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=path, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_a_device_computes_a_gradient_without_any_extra(tmp_path):
    (tmp_path / "waves_here.py").write_text(OWN)
    assert python(DEVICE, tmp_path).endswith("computed\n")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["run", "-c", "task='digits'", "--engine", "local"], "task='digits' needs the package sk"),
        (["run", "-c", "task='mnist'", "--engine", "local"], "task='mnist' needs the package torc"),
        (["run", "-c", "task='quadratic'"], "--engine flower needs the package ray, which is not "),
        (
            ["data", "-c", "task='waves_here:waves' model='waves_here:net' batch-size=4"],
            "the picture needs the package matplotlib, which is not installed; expected: pip "
            "install 'signfed[report]'",
        ),
    ],
)
def test_what_needs_an_extra_says_which(arguments, said, tmp_path):
    (tmp_path / "waves_here.py").write_text(OWN)
    code = f"import sys; sys.argv = ['signfed', *{arguments!r}]\n"
    code += "from signfed.app.cli import app\napp()"
    assert f"error: {said}" in python(code, tmp_path)


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
