"""What code a cell runs: found in small programs by hand, and in signfed itself."""

from __future__ import annotations

import pytest

from signfed.app.config.run_config import parse
from signfed.app.experiments import modules
from signfed.app.experiments.cells import cells_of, settings_of
from signfed.app.experiments.code import TABLES, Sources
from signfed.app.experiments.modules import read_source
from signfed.app.experiments.sweep import Sweep
from signfed.attacks import ATTACKS
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES

PROGRAM = {
    "mine": "from pack.inner import f\nimport other\nimport numpy\n",
    "other": "def g():\n    import late\n",
    "late": "",
    "pack": "",
    "pack.__init__": "",
    "pack.inner": "from . import sibling\nfrom .deep.part import x\n",
    "pack.sibling": "",
    "pack.deep": "",
    "pack.deep.__init__": "",
    "pack.deep.part": "x = 1\n",
    "unused": "",
}


def reached(program, *roots):
    return Sources(program.get).reached(roots)


def test_imports_are_followed_also_relative_ones_and_those_in_functions():
    expected = {"mine", "other", "late", "pack", "pack.inner", "pack.sibling", "pack.deep"}
    assert set(reached(PROGRAM, "mine")) == expected | {"pack.deep.part"}


@pytest.mark.parametrize(
    "text, same",
    [
        ("def f(x):\n    return x + 1\n", True),
        ('"""Says more."""\ndef f(x):\n    "one more"\n    # why\n    return x + 1\n', True),
        ("def f(x):\n\n    return (x+1)\n", True),
        ("def f(x):\n    return x + 2\n", False),
        ("def f(y):\n    return y + 1\n", False),
        ("import math\ndef f(x):\n    return x + 1\n", False),
    ],
)
def test_what_counts_of_a_module(text, same):
    usual = '"""Says something."""\ndef f(x):\n    """Add one."""\n    return x + 1\n'
    before, after = (reached({"m": each}, "m") for each in (usual, text))
    assert (before == after) is same


def test_what_is_there_for_a_type_checker_is_not_followed():
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import late\n"
    assert set(reached({"m": text, "late": ""}, "m")) == {"m"}


def test_a_renamed_import_counts():
    program = {"m": "from late import f as g\n", "late": "def f(): ...\ndef h(): ...\n"}
    other = program | {"m": "from late import h as g\n"}
    assert reached(program, "m")["m"] != reached(other, "m")["m"]


@pytest.mark.parametrize(
    "kind, table", [("strategy", STRATEGIES), ("pre-aggregation", PRE_AGGREGATIONS)]
)
def test_a_rule_reaches_its_file_and_not_the_others(kind, table):
    sources, homes = Sources(), {kind.__module__ for kind in table.values()}
    for name, constructor in table.items():
        found = set(sources.reached((), [(kind, name)]))
        assert constructor.__module__ in found and f"{TABLES[kind][0]}:{name}" in found
        assert len(found & homes) <= 3, f"{name} reaches {found & homes}"


def test_an_attack_reaches_its_file_and_the_engine_none():
    sources, homes = Sources(), {attack.function.__module__ for attack in ATTACKS.values()}
    for name, attack in ATTACKS.items():
        assert attack.function.__module__ in sources.reached((), [("attack", name)])
    engine = set(sources.reached(["signfed.app.engines.local.engine"]))
    assert not engine & (homes | {rule.__module__ for rule in STRATEGIES.values()})
    for needed in ("strategies.server.training", "strategies.server.loop", "clients.honest"):
        assert f"signfed.{needed}" in engine


def test_what_is_imported_by_its_name_is_reached():
    """A GPU's kernels, which stay unloaded without one, and the tensor form of batch norm."""
    found = Sources().reached(["signfed.app.engines.local.engine"], [("model", "resnet-18")])
    for needed in ("_norm_tensors", "_norm_kernels", "_window_kernels", "_mask_kernels"):
        assert f"signfed.app.task.shared.{needed}" in found
    assert "signfed.app.task.models._pool_kernels" in found
    assert "signfed.strategies.ops._triton" in Sources().reached((), [("strategy", "sign-fd")])
    chosen = "from importlib import import_module as i\nimport importlib\n"
    chosen += "def f(x): return importlib.import_module('one' if x else 'two')\n"
    chosen += "def g(x): return i(name=x), x.import_module(), x.import_module(*x)\n"
    assert {"one", "two"} <= set(reached({"m": chosen, "one": "", "two": ""}, "m"))


def test_a_users_data_are_known_by_their_place():
    def settings(**keys):
        return settings_of(parse({"num-byzantine": 2, **keys}), "local")

    own = {"task": "own-data", "own-data.kind": "arrays", "own-data.shape": "4"}
    own |= {"own-data.classes": "2"}
    assert settings(**own, **{"data-dir": "/a"}) != settings(**own, **{"data-dir": "/b"})
    assert settings(**{"data-dir": "/a"}) == settings(**{"data-dir": "/b"})


@pytest.mark.parametrize("kind", TABLES)
def test_every_registry_is_read(kind):
    module, table = TABLES[kind]
    found = Sources()._module(module).entries
    assert len(found) > 3 and table not in Sources()._module(module).homes


def test_a_user_reaches_what_the_public_names_stand_for(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine_of_code.py").write_text("from signfed import RobustStrategy\n")
    found = Sources().reached((), [("strategy", "mine_of_code:Mine")])
    assert "mine_of_code" in found and "signfed.strategies.server.strategy" in found
    assert "signfed" not in found, "one more public name is no reason to run again"


def ids(monkeypatch, changed=""):
    """The cells of a sweep, by rule and attack, with this module's code changed."""

    def read(module):
        text = read_source(module)
        return f"{text}\nchanged = True\n" if module == changed else text

    monkeypatch.setattr(modules, "read_source", read)
    grid = {"strategy": ["mean", "krum", "multi-krum", "sign-mv"], "attack": ["none", "lie"]}
    config = {"num-byzantine": 2, "task": "quadratic", "device": "cpu"}
    found = cells_of(Sweep("ids", config, grid), load=None)
    return {(cell.keys["strategy"], cell.keys["attack"]): cell.id for cell in found}


@pytest.mark.parametrize(
    "changed, concerned",
    [
        ("strategies.sign_mv", lambda strategy, attack: strategy == "sign-mv"),
        ("strategies.krum", lambda strategy, attack: "krum" in strategy),
        ("strategies.multi_krum", lambda strategy, attack: strategy == "multi-krum"),
        ("attacks.lie", lambda strategy, attack: attack == "lie"),
        ("strategies.registry", lambda strategy, attack: True),
        ("strategies.pre_aggregations", lambda strategy, attack: True),
        ("app.config.run_config", lambda strategy, attack: True),
        ("app.config.plugins", lambda strategy, attack: True),
        ("strategies.nnm", lambda strategy, attack: False),
        ("clients.encoders.stochastic", lambda strategy, attack: False),
        ("strategies.core.updates", lambda strategy, attack: True),
        ("app.task.quadratic", lambda strategy, attack: True),
        ("strategies.bulyan", lambda strategy, attack: False),
        ("attacks.ipm", lambda strategy, attack: False),
        ("app.task.datasets.images", lambda strategy, attack: False),
        ("app.config.shared", lambda strategy, attack: False),
        ("app.commands.run", lambda strategy, attack: False),
    ],
)
def test_a_changed_file_concerns_exactly_its_own_cells(changed, concerned, monkeypatch):
    before, after = ids(monkeypatch), ids(monkeypatch, f"signfed.{changed}")
    assert len(set(before.values())) == 8
    assert {k for k in before if before[k] != after[k]} == {k for k in before if concerned(*k)}


def test_one_more_rule_in_the_registry_concerns_nobody(monkeypatch):
    before = ids(monkeypatch)
    own = "signfed.strategies.registry"

    def read(module):
        text = read_source(module)
        if module != own:
            return text
        assert '"mean": Mean,' in text
        text = text.replace('"mean": Mean,', '"mean": Mean,\n    "newest": Newest,')
        return "from signfed.strategies.newest import Newest\n" + text

    with monkeypatch.context() as patch:
        patch.setattr(modules, "read_source", read)
        grid = {"strategy": ["mean"], "attack": ["none"]}
        config = {"num-byzantine": 2, "task": "quadratic", "device": "cpu"}
        [cell] = cells_of(Sweep("ids", config, grid), load=None)
    assert cell.id == before["mean", "none"]
