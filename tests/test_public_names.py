"""`from signfed import ...`: every name is there, once, and a type checker sees the same."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import signfed
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES

ROOT = Path(__file__).resolve().parent.parent


def test_the_names_that_load_late_are_those_that_a_type_checker_sees():
    tree = ast.parse((ROOT / "signfed" / "__init__.py").read_text(encoding="utf-8"))
    [checking] = [
        node for node in tree.body if isinstance(node, ast.If) and "TYPE" in ast.dump(node.test)
    ]
    seen = {
        alias.asname: node.module.removeprefix("signfed.")
        for node in checking.body
        for alias in node.names
    }
    assert seen == signfed._HOMES
    assert all(alias.name == alias.asname for node in checking.body for alias in node.names)


@pytest.mark.parametrize("name", signfed.__all__)
def test_every_public_name_is_there(name):
    found = getattr(signfed, name)
    assert callable(found) and found.__name__ == name and found.__doc__


def test_every_rule_is_a_public_name():
    rules = {kind.__name__ for kind in (STRATEGIES | PRE_AGGREGATIONS).values()}
    assert rules <= set(signfed.__all__), "signfed/__init__.py: a line in each of its two lists"


def test_what_the_package_shows():
    assert dir(signfed) == sorted(signfed._HOMES) == signfed.__all__
    with pytest.raises(AttributeError, match="module 'signfed' has no attribute 'Krumm'"):
        signfed.Krumm  # noqa: B018


def test_importing_the_package_loads_nothing_else():
    code = "import sys, signfed; print([m for m in ('torch', 'numpy', 'flwr') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
