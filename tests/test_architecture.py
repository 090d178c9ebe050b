"""What the folders promise one another, read from the source."""

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("app", "attacks", "clients", "strategies")
FILES = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
}
TREES = {name: ast.parse(text) for name, text in FILES.items()}

# What each room may import of the others, besides itself; the longest name that fits counts.
CORE, OPS = "strategies.core", "strategies.ops"
RULES = ("strategies",)
ROOMS = {
    "strategies.ops": (),
    "strategies.core": (OPS,),
    "strategies.bounds": (),
    "strategies.server": (CORE, OPS),
    "strategies": (CORE, OPS, "strategies.server"),
    "attacks.core": ("strategies.core.options",),
    "attacks": ("attacks.core", "strategies.core.options", "strategies.core.own"),
    "clients": (
        "attacks", CORE, "strategies.server.optimizer", "strategies.server.transport.wire",
        "strategies.server.transport.plain", "strategies.server.transport.layout",
    ),
    "app.errors": (),
    "app.task": ("app.errors", "attacks.core.data", "clients", CORE, OPS),
    "app.config": ("app.errors", "app.task", "attacks", "clients", *RULES),
    "app.runs": ("app.errors", "app.config", "attacks", *RULES),
    "app.report": ("app.errors", "app.config", "app.runs"),
    "app.flower": ("app.config.keys",),
    "app.engines": (
        "app.errors", "app.config", "app.flower", "app.runs", "app.task", "attacks", "clients",
        *RULES,
    ),
    "app.node": (
        "app.config", "app.engines.workers", "app.engines.claims", "app.engines.freed_memory",
        "app.task", "clients", *RULES,
    ),
    "app.federation": (
        "app.doctor", "app.errors", "app.flower", "app.node", "app.runs.versions", "app.task",
    ),
    "app.redteam": ("app.errors", "app.config", "app.engines", "app.runs", "app.task", "attacks",
                    *RULES),
    "app.doctor": (
        "app.errors", "app.config.own_modules", "app.flower.environment", "app.runs.claim",
    ),
    "app.check": ("app.errors", "app.config", "app.redteam", "app.task", "attacks", *RULES),
    "app.tournament": (
        "app.errors", "app.check", "app.config", "app.redteam", "app.report", "app.runs", "attacks",
        "clients", *RULES,
    ),
    "app.experiments": (
        "app.errors", "app.config", "app.engines", "app.flower.environment", "app.redteam",
        "app.report", "app.runs", "app.task", "attacks", "clients", *RULES,
    ),
    "app.commands": ("app", "attacks", "clients", *RULES),
    "app": ("app", "attacks", "clients", *RULES),  # entry points
}  # fmt: skip
MAY_IMPORT_FLOWER = (
    "app/client_app.py", "app/server_app.py", "app/node/", "app/federation/serve.py",
    "app/federation/superlink.py", "clients/honest.py", "clients/replica.py", "clients/mods/",
    "strategies/server/",
)  # fmt: skip
OWN_GENERATORS = {"default_rng", "Generator", "PCG64", "SeedSequence"}
GLOBAL_TORCH_RNG = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal",
    "bernoulli", "multinomial", "poisson", "manual_seed", "seed", "set_rng_state",
}  # fmt: skip
MAY_SEED = "app/task/seeded.py"  # users' code and initial networks, and puts all back


def imported(tree):
    """Absolute names of everything a file imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where an arrow points"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def dotted(node):
    """The name of such an expression: "np.random.seed"; "" for any other."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_the_source_is_there():
    assert len(FILES) > 20 and {name.split("/")[0] for name in FILES} == set(PACKAGES)


def module_of(name):
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(module):
    return max((room for room in ROOMS if within(module, [room])), key=len)


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name):
    room = room_of(module_of(name))
    for other in imported(TREES[name]):
        assert not within(other, PACKAGES), f"{name} imports {other}, not signfed.{other}"
        other = other.removeprefix("signfed.")
        if within(other, PACKAGES):
            target = room_of(other)
            assert target == room or within(other, ROOMS[room]), f"{name} imports {other}"


def imported_by_name(tree):
    """What `import_module` gets that is written down there."""
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and dotted(node.func).endswith("import_module")
        if called and not isinstance(node.args[0], ast.Name):
            yield ast.unparse(node.args[0])


def test_no_arrow_hides_in_a_name():
    """But those to kernels, which stay unloaded without a GPU, and the one through the door."""
    found = {(name, text) for name, tree in TREES.items() for text in imported_by_name(tree)}
    assert ("strategies/server/door.py", "'signfed'") in found
    kernels = {(name, text) for name, text in found if "_kernels" in text or "._triton" in text}
    assert kernels and found - kernels == {("strategies/server/door.py", "'signfed'")}


def test_no_circle_of_imports():
    """Imports inside functions count too: they hide a circle, they do not open it."""
    modules = {module_of(name): name for name in FILES}
    graph = {}
    for module, name in modules.items():
        found = {other.removeprefix("signfed.") for other in imported(TREES[name])}
        targets = {m for other in found for m in (other, other.rpartition(".")[0])}
        graph[module] = (targets & set(modules)) - {module}
    while leaves := {m for m, targets in graph.items() if not targets & set(graph)}:
        graph = {m: targets for m, targets in graph.items() if m not in leaves}
    assert not graph, {m: sorted(targets & set(graph)) for m, targets in graph.items()}


def test_only_the_shells_know_flower():
    for name, tree in TREES.items():
        if any(within(other, ["flwr"]) for other in imported(tree)):
            assert name.startswith(MAY_IMPORT_FLOWER), f"{name} imports flwr"


def test_ray_is_flowers_business_and_that_of_sweeps():
    users = {n for n, tree in TREES.items() if any(within(i, ["ray"]) for i in imported(tree))}
    assert users == {"app/experiments/on_ray.py"}


def global_randomness(tree):
    for other in imported(tree):
        if within(other, ["random", "numpy.random", "torch.random"]):
            yield f"import {other}"
    for node in ast.walk(tree):
        module, _, name = dotted(node).rpartition(".")
        if module in ("np.random", "numpy.random") and name not in OWN_GENERATORS:
            yield f"{module}.{name}"
        if module == "torch" and name in GLOBAL_TORCH_RNG:
            yield f"{module}.{name}"
        if isinstance(node, ast.Call) and not node.args:
            name = dotted(node.func).rpartition(".")[2]
            if name in OWN_GENERATORS:
                yield f"{name}() without a seed"


def test_no_module_draws_from_a_global_generator():
    found = {name: sorted(set(global_randomness(tree))) for name, tree in TREES.items()}
    assert "torch.manual_seed" in found.pop(MAY_SEED)
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import random",
        "from random import choice",
        "from numpy.random import rand",
        "import numpy as np\nnp.random.seed(0)",
        "import numpy as np\nx = np.random.standard_normal(3)",
        "import numpy as np\nx = np.random.default_rng()",
        "import torch\ndef f():\n    return torch.randn(3)",
        "import torch\ntorch.manual_seed(0)",
    ],
)
def test_global_randomness_would_be_found(code):
    assert list(global_randomness(ast.parse(code)))


def test_files_are_short_enough_to_read():
    assert {name: n for name, text in FILES.items() if (n := text.count("\n")) > 250} == {}


def python_without(modules, code):
    """Run `code` where importing any of `modules` fails."""
    blocked = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {modules!r}:
            raise ImportError(f"blocked: {{name}}")
sys.meta_path.insert(0, Blocked())
"""
    command = [sys.executable, "-c", blocked + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_blocking_blocks():
    done = python_without(("flwr",), "import signfed.clients.honest")
    assert done.returncode and "blocked: flwr" in done.stderr


FLOWERLESS = [
    f"signfed.{module_of(name)}"
    for name in FILES
    if name.startswith(("strategies/core/", "strategies/ops/", "strategies/bounds/", "attacks/"))
]


@pytest.mark.parametrize(
    "modules, code",
    [
        pytest.param(
            ("flwr", "ray"), f"import {', '.join(FLOWERLESS)}", id="core, ops, attacks: no Flower"
        ),
        pytest.param(
            ("flwr", "ray", "torch"),
            "import numpy as np, signfed.app.runs.claim\n"
            "from signfed import attacks\n"
            "attacks.craft('gaussian', np.ones((2, 3), np.float32), n_total=5, seed=0)",
            id="attacks: no torch",
        ),
    ],
)
def test_what_can_be_used_without(modules, code):
    done = python_without(modules, code)
    assert done.returncode == 0, done.stderr


def modules():
    for package in PACKAGES:
        yield f"signfed.{package}"
        path = [str(ROOT / package)]
        found = pkgutil.walk_packages(path, f"signfed.{package}.")
        yield from (info.name for info in found)


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples_in_docstrings():
    assert sum(text.count(">>> ") for text in FILES.values()) >= 3
