"""Sweeps in processes of their own: one that is killed, all that are killed, one that is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from signfed.app.experiments.execute import run_sweep
from signfed.app.experiments.processes import Processes
from signfed.app.experiments.sweep import Sweep
from signfed.app.experiments.sweep_file import read_sweep
from signfed.app.experiments.work import Work
from signfed.app.runs.checkpoint import list_checkpoints
from signfed.app.runs.folder import read_rounds, read_summary
from tests.app.engines.commands import COMMAND, ROOT, await_end, environment
from tests.waiting import until

QUICK = {"task": "quadratic", "num-rounds": 3, "num-byzantine": 2, "device": "cpu"}

KILLED = """
import os, signal
from pathlib import Path
from signfed import RobustStrategy

class Mine(RobustStrategy):
    encoder = "float32"

    def __init__(self, where: str = "", always: bool = False) -> None:
        self.where, self.always = Path(where), always

    def aggregate(self, updates):
        if self.always or not self.where.exists():
            self.where.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return updates.dense().mean(dim=0)
"""
# Tells by a file how often a cell came to its third round, and waits at some of them to be killed.
STOPS = 3, 12, 21
HELD = f"""
import time
from pathlib import Path
from signfed import RobustStrategy

class Held(RobustStrategy):
    encoder = "float32"
    calls = 0

    def aggregate(self, updates):
        self.calls += 1
        reached = Path("reached")
        if self.calls == 3 and reached.exists():
            with reached.open("a") as file:
                file.write(".")
            while reached.stat().st_size in {STOPS}:
                time.sleep(0.02)
        return updates.dense().mean(dim=0)
"""
SIXTY = """
name = "sixty"
seeds = 5
[config]
task = "quadratic"
num-rounds = 5
num-byzantine = 2
checkpoint-every = 1
device = "cpu"
[grid]
strategy = ["held:Held", "mean", "sign-mv"]
attack = ["none", "noise", "lie", "min-max"]
"""


# As the command, but without a second process, which takes seconds to start.
IN_ONE_PROCESS = """
from pathlib import Path
from signfed.app.experiments.execute import run_sweep
from signfed.app.experiments.sweep_file import read_sweep
run_sweep(read_sweep(Path("sixty.toml")), "killed", processes=0)
"""


def results(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("results.csv", "results.parquet")]


def test_a_killed_worker_process_costs_its_cell_an_attempt_and_nobody_else(tmp_path, monkeypatch):
    """Killed as for want of memory: once, and tried again; each time, and given up."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "killed_here.py").write_text(KILLED)
    mine = {"strategy": "killed_here:Mine"}
    cases = [
        mine | {"strategy-options": f"where={json.dumps(str(tmp_path / 'once'))}"},
        {"strategy": "mean"},
        mine | {"strategy-options": "where='nowhere/at/all' always=true"},
        {"strategy": "median"},
    ]
    cases[2] = mine | {
        "strategy-options": f"where={json.dumps(str(tmp_path / 'often'))} always=true"
    }
    found = run_sweep(Sweep("x", QUICK, {}, cases), tmp_path / "sweep", processes=1)
    assert [r["status"] for r in found.rows()] == ["finished", "finished", "failed", "finished"]
    error = found.rows()[2]["error"]
    assert "its process was ended by SIGKILL; the machine may have run out of memory" in error
    assert error in (found.cells[2].path / "traceback.txt").read_text()
    known = json.loads((tmp_path / "sweep" / "manifest.json").read_text())["cells"]
    assert [cell["attempts"] for cell in known.values()] == [2, 1, 2, 1]


def test_a_runner_that_is_closed_saves_what_is_under_way(tmp_path):
    config = {**QUICK, "num-rounds": 100_000, "strategy": "mean", "checkpoint-every": 0}
    runner = Processes(1)
    try:
        runner.start(Work("a", config, str(tmp_path / "a")))
        until(lambda: len(read_rounds(tmp_path / "a")) > 3, "rounds")
    finally:
        runner.close()
    assert read_summary(tmp_path / "a")["status"] == "interrupted"
    done = len(read_rounds(tmp_path / "a"))
    assert list_checkpoints(tmp_path / "a")[-1].name == f"round-{done:06d}"


def test_a_sweep_that_is_killed_three_times_ends_with_the_same_table(tmp_path, monkeypatch):
    """Each time within a cell, which is begun once more."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "sixty.toml").write_text(SIXTY)
    run_sweep(read_sweep(tmp_path / "sixty.toml"), tmp_path / "whole", processes=0)
    assert len((tmp_path / "whole" / "results.csv").read_text().splitlines()) == 61
    command = [*COMMAND, "sweep", "sixty.toml", "--out", "killed", "--processes", "1"]
    in_one = [sys.executable, "-c", IN_ONE_PROCESS]
    reached, killed = tmp_path / "reached", tmp_path / "killed"
    reached.touch()

    for kill, stop in enumerate(STOPS):
        process = subprocess.Popen(
            in_one if kill else command, cwd=tmp_path, text=True,
            env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)])),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        until(lambda p=process, s=stop: reached.stat().st_size == s or p.poll() is not None, "cell")
        assert process.poll() is None, process.stdout.read()
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        if kill == 0:  # a second process is refused as long as the first is there
            with pytest.raises(ValueError, match="a sweep is under way"):
                run_sweep(read_sweep(tmp_path / "sixty.toml"), killed, processes=0)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert await_end(family) == []
        assert len(list((killed / "cells").glob("*"))) == stop - kill - 1
        assert len(list((killed / "under-way").glob("*"))) == 1
    run_sweep(read_sweep(tmp_path / "sixty.toml"), killed, processes=0)
    assert results(killed) == results(tmp_path / "whole")
    known = json.loads((killed / "manifest.json").read_text())["cells"]
    assert sum(cell["attempts"] for cell in known.values()) == 60 + len(STOPS)
