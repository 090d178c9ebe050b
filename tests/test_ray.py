"""`signfed run` for real: Flower's SuperLink, Ray, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.run_folder import read_rounds, read_summary
from tests.conftest import THREADS
from tests.federation import SHORT, federate

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

SIGNFED = [sys.executable, "-m", "app.cli"]
ROOT = Path(__file__).parent.parent
SHORT_CONFIG = " ".join(f"{key}={value!r}" for key, value in SHORT.items())


def environment(cwd: Path) -> dict[str, str]:
    # A bytecode cache halves the start of every process.
    dropped = {"PYTHONDONTWRITEBYTECODE", *THREADS}
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    return kept | {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": "/tmp"}


def start(cwd: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*SIGNFED, "run", "--out", str(cwd / "run"), *arguments],
        cwd=cwd, env=environment(cwd), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_a_simulated_run_ends_with_the_model_of_the_in_process_run(tmp_path):
    process = start(tmp_path, "-c", SHORT_CONFIG)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    summary = read_summary(tmp_path / "run")
    assert summary["status"] == "finished"
    assert summary["model_sha256"] == federate(tmp_path / "same").sha256
    assert "found lying: 0, 1, 2, 3, 4, 5" in output


FAILS_IN_ROUND_2 = """
from strategies import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        if updates.round == 2:
            raise ArithmeticError("this rule fails")
        return updates.dense()[0]
"""


def test_a_failed_run_says_why_and_does_not_exit_with_0(tmp_path):
    (tmp_path / "fails.py").write_text(FAILS_IN_ROUND_2)
    process = start(tmp_path, "-c", "strategy='fails:Fails' num-rounds=5")
    output, _ = process.communicate()
    assert process.returncode == 1, output
    summary = read_summary(tmp_path / "run")
    assert summary["status"] == "failed" and summary["rounds"] == 1
    assert "ArithmeticError: this rule fails" in summary["error"]
    assert "this rule fails" in output


def test_an_interrupted_run_keeps_its_rounds_and_leaves_no_process(tmp_path):
    process = start(tmp_path, "-c", "num-rounds=60000")
    deadline = time.monotonic() + 120
    while len(read_rounds(tmp_path / "run")) < 3:
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
        time.sleep(0.2)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 3
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert read_summary(tmp_path / "run")["status"] == "interrupted"
    assert len(read_rounds(tmp_path / "run")) >= 3
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
