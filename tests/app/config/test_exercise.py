"""A rule added as an exercise: one file, one line of the registry, and pyproject's table."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RULE = '''"""The mean of the k rows of smallest norm."""

from typing import Annotated

from pydantic import Field

from signfed.strategies.server.strategy import RobustStrategy


class Smallest(RobustStrategy):
    """The mean of the k rows of smallest norm."""

    encoder = "float32"

    def __init__(self, kept: Annotated[int, Field(ge=1, description="k, rows averaged")] = 4):
        self.kept = kept

    def admissible(self, n):
        return None if n >= self.kept else f"smallest needs n >= {self.kept}: got n={n} updates"

    def aggregate(self, updates):
        rows = updates.dense()
        return rows[rows.norm(dim=1).argsort()[: self.kept]].mean(dim=0)
'''
SHOWN = """
import sys
from pathlib import Path
from typer.testing import CliRunner
from signfed.app import cli
from signfed.app.config import keys
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.redteam import red_team
import signfed

assert Path(signfed.__file__).is_relative_to(Path.cwd()), signfed.__file__
pyproject = Path("pyproject.toml")
assert keys.as_toml() not in pyproject.read_text()  # which is what the test of keys would say
table = '[tool.flwr.app.config.smallest]\\nkept = 4\\n\\n[tool.flwr.app.config.bucketing]'
pyproject.write_text(pyproject.read_text().replace("[tool.flwr.app.config.bucketing]", table))
assert keys.as_toml() in pyproject.read_text()
row = "| `smallest.kept` | `4` | a whole number of at least 1 | k, rows averaged |"
assert row in keys.as_markdown()

def command(*arguments):
    result = CliRunner().invoke(cli.app, list(arguments))
    return result.exit_code, " ".join(result.output.split())

code, shown = command("list")
assert code == 0 and "smallest.kept" in shown and "The mean of the k rows of" in shown
assert build_strategy(parse({"strategy": "smallest", "smallest.kept": 7})).kept == 7
run = ("run", "--engine", "local", "--no-report", "-c")
for given, said in (
    ("strategy='smallest' smallest.kept=0", "smallest.kept: expected a whole number of at least 1"),
    ("strategy='smallest' smallest.kept=16", "smallest needs n >= 16: got n=15 updates"),
    ("smallest.kept=5", "belongs to strategy='smallest', but strategy is 'sign-fd'"),
    ("strategy='smalest'", "expected one of mean, sign-mv,"),
):
    code, shown = command(*run, given)
    assert code == 2 and said in shown, shown
code, shown = command(*run, "strategy='smallest' smallest.kept=3 num-rounds=2 device='cpu'")
assert code == 0, shown
found = ("--strategies", "smallest", "--attacks", "sign-flip", "--refinements", "0", "--out", "x")
code, shown = command("redteam", *found, "-c", "num-rounds=2 task='quadratic' smallest.kept=3")
assert code == 0 and "smallest" in shown, shown
print("as it should be")
"""


def test_a_built_in_rule_is_one_file_one_line_and_a_table(tmp_path):
    for folder in ("signfed", "app", "attacks", "clients", "strategies"):
        shutil.copytree(ROOT / folder, tmp_path / folder)  # what is compiled comes along
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "strategies" / "smallest.py").write_text(RULE)
    registry = tmp_path / "strategies" / "registry.py"
    text = registry.read_text(encoding="utf-8")
    line = '    "smallest": importlib.import_module("signfed.strategies.smallest").Smallest,\n}'
    text = text.replace("\n}\n", f"\n{line}\n", 1).replace(
        "import inspect", "import importlib\nimport inspect"
    )
    registry.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SHOWN],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("as it should be\n"), done.stdout + done.stderr
