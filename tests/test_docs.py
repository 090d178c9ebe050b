"""Every command and every program printed in README.md and docs/ is run.

A block is handed to the shell as printed. `signfed` there is a stand-in that writes down its
arguments, so variables, quotes and continued lines are the shell's; then each command is run in
this process, for two rounds on the local engine. Other programs are known by name, with the test
that starts them in earnest.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.experiments import processes
from signfed.app.experiments.runner import Here
from signfed.app.redteam import search
from signfed.app.tournament import entries
from tests.waiting import GUARD

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"# (\w+\.py)\n")  # a program that a reader types into this file
BLOCKS = {
    f"{page.name}-{i}": (language, text)
    for page in PAGES
    for i, (language, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
}
SHELL = {name: text for name, (language, text) in BLOCKS.items() if language == "sh"}
PROGRAMS = {name: text for name, (language, text) in BLOCKS.items() if language == "python"}

# What else may be printed, and where it is run.
ELSEWHERE = {
    "python3": ".ci/run, from README.md",
    "pip": ".ci/run",
    "pytest": ".ci/run",
    "ruff": ".ci/run",
    "mypy": ".ci/run",
    "pre-commit": "by hand; its hooks are .ci/run's commands",
    "git": "by hand",
    "python": "tests/test_benchmarks.py",
    "flwr": "tests/app/engines/test_deployment.py, test_ray.py",
    "sudo": "by hand",
    "cp": "by hand",
    "scp": "tests/app/federation/test_how_to.py copies",
    "systemctl": "by hand",
    "mkdocs": ".ci/run",
}
# Commands in blocks of `text`, which are not run here, by how they begin: why, or where they are.
NOT_RUN = {
    "signfed reproduce": "hours; tests/app/experiments/test_reproduce.py",
    "signfed sweep FILE.toml": "a GPU or a Ray cluster; tests/app/experiments/",
    "signfed run": "a GPU",
    "pip download": "other people's packages",
    "git grep": "other people's repositories",
    "python -m benchmarks": "minutes; tests/test_benchmarks.py, at tiny sizes",
    "python -m tests.simulation": "a night; tests/simulation/test_simulation.py, fewer seeds",
    "signfed federation": "a server; tests/app/federation/",
    "signfed node": "a device; tests/app/federation/",
    "flwr": "a server; tests/app/engines/test_deployment.py",
}
TEXTS = "".join(text for language, text in BLOCKS.values() if language == "text")
UNRUN = re.findall(r"^(?:signfed|python|flwr|pip|mkdocs) .*", TEXTS, re.MULTILINE)
STAND_IN = "#!{python}\nimport json, sys\nopen({log!r}, 'a').write(json.dumps(sys.argv) + '\\n')\n"


def commands(text, folder):
    """The programs that a block starts, each with its arguments, as the shell hands them over."""
    log, bin_ = folder / "commands.jsonl", folder / "bin"
    bin_.mkdir()
    for name in ("signfed", *ELSEWHERE):
        stand_in = bin_ / name
        stand_in.write_text(STAND_IN.format(python=sys.executable, log=str(log)))
        stand_in.chmod(0o755)
    for done_by_the_shell in ("&& . .venv/bin/activate", "kill $(jobs -p)"):
        text = text.replace(done_by_the_shell, "")
    text = text.replace(" &\n", "\n")
    done = subprocess.run(
        ["bash", "-euc", text], cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": f"{bin_}:/usr/bin:/bin", "HOME": str(folder)}, timeout=GUARD,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [(Path(argv[0]).name, argv[1:]) for argv in map(json.loads, lines)]


def short(arguments, rounds):
    """The command with so many rounds, on the local engine; a red team with two attacks."""
    if arguments[0] == "sweep":
        return shorter_sweep(arguments)
    if arguments[0] == "tournament":
        return [*arguments, "--byzantine", "3", "--rounds", str(rounds)]
    if arguments[0] not in ("run", "redteam"):
        return arguments
    at = arguments.index("-c") + 1 if "-c" in arguments else None
    config = arguments[at] if at else ""
    config = re.sub(r"\b(num-rounds|evaluate-every)=\d+", "", config) + f" num-rounds={rounds}"
    given = [a for i, a in enumerate(arguments) if at is None or i not in (at - 1, at)]
    given = re.sub(r"--engine (local|flower) ?", "", shlex.join(given))
    given = re.sub(r"--(attacks|supernodes|cpus-per-client|gpus-per-client) \S+ ?", "", given)
    team = ["--grid", "2", "--refinements", "0", "--attacks", "lie,sleeper"]
    more = ["--engine", "local", "--no-report"] if arguments[0] == "run" else team
    return [*shlex.split(given), *more, "-c", config]


def shorter_sweep(arguments):
    """The same on a copy of the file: two rounds, one seed."""
    file = Path(arguments[1])
    text = (ROOT / file).read_text(encoding="utf-8")
    text = re.sub(r"^num-rounds = \d+", "num-rounds = 2", text, flags=re.MULTILINE)
    text = re.sub(r"^seeds = \d+", "seeds = 1", text, flags=re.MULTILINE)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return arguments


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # A red team's runs in this process, not in new ones that take seconds to start.
    monkeypatch.setattr(search, "ProcessPoolExecutor", lambda *given, **more: ThreadPoolExecutor(1))
    monkeypatch.setattr(processes, "Processes", lambda slots: Here())
    monkeypatch.setattr(entries, "BASELINES", {"rule": ("sign-mv",), "attack": ("none",)})
    for file in filter(None, map(TYPED.match, PROGRAMS.values())):  # which another test may have
        monkeypatch.delitem(sys.modules, file[1].removesuffix(".py"), raising=False)
    yield tmp_path
    for name, module in list(sys.modules.items()):  # what the reader has typed in
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            sys.modules.pop(name)


def write_programs(block, folder):
    """What a reader of that page has typed into files by then: a block that starts with a name."""
    page = block.rpartition("-")[0]
    for name, text in PROGRAMS.items():
        if name.startswith(page) and (named := TYPED.match(text)):
            (folder / named[1]).write_text(text, encoding="utf-8")


def finished_run(folder):
    config = "num-rounds=1 checkpoint-every=1 num-workers=3 num-byzantine=1 attack='noise'"
    given = ["--engine", "local", "--no-report", "--out", "signfed-runs/RUN", "-c", config]
    done = CliRunner().invoke(app, ["run", *given])
    assert done.exit_code == 0, done.output


def as_is_there(arguments):
    """With the last checkpoint of RUN in place of the one that is printed."""
    places = sorted(Path("signfed-runs/RUN/checkpoints").glob("round-*"))
    last = places[-1].name if places else ""
    return [re.sub(r"round-\d{6}", last, argument) for argument in arguments]


def test_there_are_blocks():
    assert len(SHELL) >= 10 and len(PROGRAMS) >= 3


@pytest.mark.parametrize("name", SHELL)
def test_printed_commands_run(name, folder):
    write_programs(name, folder)
    found = commands(SHELL[name], folder)
    assert found
    for i, (program, arguments) in enumerate(found):
        if program != "signfed" or arguments[:1] in (["federation"], ["node"]):
            continue  # of a federation: tests/app/federation/test_how_to.py
        if "signfed-runs/RUN" in " ".join(arguments) and not (folder / "signfed-runs").exists():
            finished_run(folder)
        given = as_is_there(short(arguments or ["run"], 2 + i))
        done = CliRunner().invoke(app, given)
        explained = "data-dir: expected" in done.output or "for example: " in done.output
        assert done.exit_code == 0 or (done.exit_code == 2 and explained), (given, done.output)


@pytest.mark.parametrize("name", PROGRAMS)
def test_printed_programs_run(name, folder):
    matrix = np.arange(24, dtype=np.float32).reshape(8, 3)
    exec(compile(PROGRAMS[name], name, "exec"), {"__name__": "printed", "matrix": matrix})


@pytest.mark.parametrize("line", UNRUN)
def test_commands_that_are_not_run_have_a_reason_and_real_options(line):
    assert line.startswith(tuple(NOT_RUN)), f"{line}: print it in a block of `sh`, or say why not"
    program, *words = shlex.split(line, comments=True)
    if program != "signfed":
        return
    command = typer.main.get_command(app)
    while words and (inner := getattr(command, "commands", {}).get(words[0])):
        command, words = inner, words[1:]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_a_command_that_is_wrong_would_be_found(folder):
    [(program, arguments)] = commands("signfed run \\\n -c \"stratgy='mean'\"\n", folder)
    assert program == "signfed"
    done = CliRunner().invoke(app, short(arguments, 2))
    assert done.exit_code == 2 and "unknown key" in done.output
