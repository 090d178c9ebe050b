"""`signfed run` as a process, for tests of what it starts and what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from signfed.app.runs.folder import read_rounds
from tests.conftest import THREADS
from tests.federation import BASE, SHORT
from tests.waiting import GUARD

ROOT = Path(__file__).parents[3]
# As the console script does: the starting folder is not on the path of imports.
COMMAND = [sys.executable, "-P", "-c", "from signfed.app.cli import app; app()"]
SHORT_CONFIG = " ".join(f"{key}={value!r}" for key, value in (BASE | SHORT).items())


def environment(**changed: str) -> dict[str, str]:
    # A bytecode cache halves the start of every process.
    dropped = {"PYTHONDONTWRITEBYTECODE", *THREADS}
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    return kept | {"PYTHONPATH": str(ROOT)} | changed


def start(cwd: Path, *arguments: str, **changed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "run", "--no-report", *arguments],
        cwd=cwd, env=environment(**changed), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def last_line(output: str) -> str:
    return output.strip().splitlines()[-1]


def await_rounds(process: subprocess.Popen[str], path: Path, rounds: int) -> None:
    deadline = time.monotonic() + GUARD
    while len(read_rounds(path)) < rounds:
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
        time.sleep(0.05)


def left(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that nobody has taken note of has ended, too."""
    running = [p for p in family if p.is_running()]
    return [p for p in running if _status(p) not in (None, psutil.STATUS_ZOMBIE)]


def _status(process: psutil.Process) -> str | None:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return None


def await_end(family: list[psutil.Process], seconds: float = GUARD) -> list[psutil.Process]:
    """What is left after so many seconds at most."""
    deadline = time.monotonic() + seconds
    while left(family) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left(family)
