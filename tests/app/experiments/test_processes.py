"""Sweeps in processes of their own: one that is killed, all that are killed, one that is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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
from tests.app.engines.commands import COMMAND, environment, left

QUICK = {"task": "quadratic", "num-rounds": 3, "num-byzantine": 2, "device": "cpu"}
GUARD = 240.0  # seconds, against hanging only

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
strategy = ["mean", "sign-mv", "median"]
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


def await_that(what, process=None):
    deadline = time.monotonic() + GUARD
    while not what():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.stdout.read()
        time.sleep(0.02)


@pytest.mark.timeout(GUARD)
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


@pytest.mark.timeout(GUARD)
def test_a_runner_that_is_closed_saves_what_is_under_way(tmp_path):
    config = {**QUICK, "num-rounds": 100_000, "strategy": "mean", "checkpoint-every": 0}
    runner = Processes(1)
    try:
        runner.start(Work("a", config, str(tmp_path / "a")))
        await_that(lambda: len(read_rounds(tmp_path / "a")) > 3)
    finally:
        runner.close()
    assert read_summary(tmp_path / "a")["status"] == "interrupted"
    done = len(read_rounds(tmp_path / "a"))
    assert list_checkpoints(tmp_path / "a")[-1].name == f"round-{done:06d}"


@pytest.mark.timeout(GUARD)
def test_a_sweep_that_is_killed_three_times_ends_with_the_same_table(tmp_path):
    (tmp_path / "sixty.toml").write_text(SIXTY)
    run_sweep(read_sweep(tmp_path / "sixty.toml"), tmp_path / "whole", processes=0)
    assert len((tmp_path / "whole" / "results.csv").read_text().splitlines()) == 61
    command = [*COMMAND, "sweep", "sixty.toml", "--out", "killed", "--processes", "1"]
    in_one = [sys.executable, "-c", IN_ONE_PROCESS]
    cells = tmp_path / "killed" / "cells"
    half_run = 0

    def start(command):
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    for kill in range(3):
        process = start(in_one if kill else command)
        enough = 2 + kill * 18
        await_that(lambda enough=enough: len(list(cells.glob("*"))) >= enough, process)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        if kill == 0:  # a second process is refused as long as the first is there
            with pytest.raises(ValueError, match="a sweep is under way"):
                run_sweep(read_sweep(tmp_path / "sixty.toml"), tmp_path / "killed", processes=0)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        await_that(lambda family=family: not left(family))
        half_run += len(list((tmp_path / "killed" / "under-way").glob("*")))
        assert len(list(cells.glob("*"))) < 60
    assert half_run, "a kill between two cells shows less than one within a cell"
    run_sweep(read_sweep(tmp_path / "sixty.toml"), tmp_path / "killed", processes=0)
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    known = json.loads((tmp_path / "killed" / "manifest.json").read_text())["cells"]
    assert 60 < sum(cell["attempts"] for cell in known.values()) <= 63
