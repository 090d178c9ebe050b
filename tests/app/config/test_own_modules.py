"""Names that a user's own files may have, and those that they may not."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from signfed.app.config.own_modules import NEEDED, check_names, find_own_modules
from signfed.app.errors import ConfigError

ROOT = Path(__file__).parents[3]


def test_names_of_our_own_folders_are_free(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("app.py", "attacks.py", "strategies.py", "clients.py", "tests.py", "main.py"):
        (tmp_path / name).write_text("")
    for name in ("app", "models", "numpy"):  # a folder without __init__.py hides nothing
        (tmp_path / name).mkdir()
    find_own_modules(tmp_path)
    assert sys.path[0] == str(tmp_path)


@pytest.mark.parametrize(
    "file", ["signfed.py", "torch.py", "numpy/__init__.py", "flwr.py", "random.py", "ray.py"]
)
def test_a_file_that_hides_what_is_needed_is_named(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("")
    with pytest.raises(ConfigError, match=f"{re.escape(str(tmp_path / file))}: hides .* rename it"):
        find_own_modules(tmp_path)
    assert str(tmp_path) not in sys.path


def test_our_own_checkout_and_a_copy_of_it_hide_nothing(tmp_path):
    check_names(ROOT)
    (tmp_path / "signfed").mkdir()
    shutil.copy(ROOT / "signfed" / "__init__.py", tmp_path / "signfed")
    check_names(tmp_path)
    (tmp_path / "signfed" / "__init__.py").write_text("another")
    with pytest.raises(ConfigError, match="hides the package 'signfed'"):
        check_names(tmp_path)


def test_every_direct_dependency_is_known():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", text)[0] for text in project["dependencies"]}
    modules = {"scikit-learn": "sklearn"}
    assert {modules.get(name, name.replace("-", "_")) for name in names} <= NEEDED
