"""Wheel and source distribution: built, and tried outside the tree in an environment of its own.

The environment has nothing of signfed but the wheel; what signfed needs it finds in this one, since
the tests have no network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RULE = """
from signfed import RobustStrategy

class Median(RobustStrategy):
    encoder = "float32"
    def aggregate(self, updates):
        return updates.dense().median(dim=0).values
"""


def run(*command: object, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), clean["PATH"]])  # flwr
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel that is built of the source distribution, and the latter's unpacked folder."""
    place = tmp_path_factory.mktemp("release")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", place, cwd=ROOT)
    (sdist,) = place.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    source = place / sdist.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place, cwd=source)
    (wheel,) = place.glob("*.whl")
    return wheel, source


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The `bin` of an environment that holds the wheel, and an empty folder beside it."""
    place = tmp_path_factory.mktemp("clean")
    venv.create(place / "env", with_pip=False)
    bin_ = place / "env" / "bin"
    packages = run(
        bin_ / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place
    ).strip()
    # A line of a .pth file adds a folder, but not that folder's own .pth files: nothing editable.
    theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(packages) / "theirs.pth").write_text("\n".join(sorted(theirs)) + "\n")
    pip = (bin_ / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--ignore-installed", built[0], cwd=place)
    folder = place / "folder"
    folder.mkdir()
    return bin_, folder


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"signfed", f"signfed-{PROJECT['version']}.dist-info"}
    sources = {f"signfed/{file.relative_to(ROOT)}" for room in ("app", "strategies", "clients",
               "attacks") for file in (ROOT / room).rglob("*") if "__pycache__" not in file.parts
               and file.is_file()}  # fmt: skip
    assert sources <= {*names}
    assert "signfed/py.typed" in names and "signfed/examples/my_strategy/pyproject.toml" in names


def test_the_source_distribution_can_be_tested(built):
    _, source = built
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "tests/conftest.py",
                 "docs/rules.md", "benchmarks/rules.py", "examples/course/course.py"):  # fmt: skip
        assert (source / name).exists(), name


def test_the_commands_work_outside_the_tree(installed):
    bin_, folder = installed
    where = run(bin_ / "python", "-c", "import signfed; print(signfed.__file__)", cwd=folder)
    assert where.startswith(str(bin_.parent))
    said = run(bin_ / "signfed", "--version", cwd=folder)
    assert said.strip() == f"signfed {PROJECT['version']}"
    found = json.loads(run(bin_ / "signfed", "doctor", "--format", "json", cwd=folder))
    assert found["ok"]
    assert f"signfed {PROJECT['version']}" in found["findings"][1]["found"]


def test_a_run_a_new_app_and_a_check_of_its_rule(installed):
    bin_, folder = installed
    config = "num-rounds=2 device='cpu' evaluate-every=2"
    run(bin_ / "signfed", "run", "--engine", "local", "-c", config, "--out", "out", cwd=folder)
    assert json.loads((folder / "out" / "summary.json").read_text())["status"] == "finished"
    assert (folder / "out" / "report.html").exists()
    run(bin_ / "signfed", "new", "own-rule", cwd=folder)
    own = folder / "own-rule"
    (own / "own_rule" / "strategy.py").write_text(RULE)
    checked = run(
        bin_ / "signfed", "check", "own_rule.strategy:Median", "--laws", "--seconds", "2", cwd=own
    )
    assert "broken" not in checked


def test_the_version_stands_in_one_place():
    """pyproject.toml has it; what repeats it is held equal, and no file of the package does."""
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == PROJECT["version"]
    for room in ("app", "strategies", "clients", "attacks", "signfed"):
        for file in (ROOT / room).rglob("*.py"):
            assert f'"{PROJECT["version"]}"' not in file.read_text(encoding="utf-8"), file
    assert re.search(r"^## (Unreleased|\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
