"""End a run at random moments, resume it, and compare the models.

    python -m benchmarks.kill --times 20 --engine flower
    python -m benchmarks.kill --times 10 --engine flower --signal SIGTERM

At a moment drawn from the length of the whole run, `signfed run` and all that it started
(SuperLink, ServerApp, Ray) are killed; with --signal, the command alone gets that signal, and the
seconds are counted until no process of the run is left. Then the run goes on with `--resume`, or
anew when there is nothing yet to go on with.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from rich.progress import track

from benchmarks.common import report
from signfed.app.runs.folder import read_rounds, read_summary

ROOT = Path(__file__).parent.parent
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL")
LONGEST = 60.0  # seconds of waiting for processes to end


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "signfed.app.cli", "run", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **quiet)


def kill_all(process: subprocess.Popen[bytes]) -> int:
    """SIGKILL for the process and everything below it; returns how many there were."""
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(process.pid)
        tree = [top, *top.children(recursive=True)]
        for each in tree:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()
        psutil.wait_procs(tree, timeout=10)
        return len(tree)
    return 0


def signal_command(process: subprocess.Popen[bytes], number: int) -> tuple[int, float]:
    """Send a signal to the command alone; returns how many processes there were, and the seconds
    until none of them was left.
    """
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(process.pid)
        tree = [top, *top.children(recursive=True)]
        began = time.monotonic()
        process.send_signal(number)
        process.wait()
        while any(map(runs, tree)) and time.monotonic() - began < LONGEST:
            time.sleep(0.05)
        return len(tree), time.monotonic() - began
    return 0, 0.0


def runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def attempt(
    path: Path, config: list[str], after: float, expected: str, number: int | None
) -> dict[str, Any]:
    """One run, ended after so many seconds, and resumed to its end."""
    process = start("--out", str(path), *config)
    time.sleep(after)
    began = time.monotonic()
    if number is None:
        ended, seconds = kill_all(process), time.monotonic() - began
    else:
        ended, seconds = signal_command(process, number)
    rounds, before = len(read_rounds(path)), read_summary(path).get("status", "none")
    begun = (path / "config.json").exists() and before != "finished"
    if not (path / "config.json").exists():
        shutil.rmtree(path, ignore_errors=True)
    status = 0
    if before != "finished":
        again = ["--resume", str(path), *config[-2:]] if begun else ["--out", str(path), *config]
        status = start(*again).wait()
    summary = read_summary(path)
    return {
        "ended after, s": after, "processes": ended, "gone after, s": seconds,
        "rounds written": rounds, "status": before,
        "then": "resumed" if begun else "nothing" if before == "finished" else "started anew",
        "exit code": status, "same model": summary.get("model_sha256") == expected,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--engine", default="flower", choices=["flower", "local"])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--signal", default=None, choices=SIGNALS, help="to the command alone")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    config = ["-c", f"num-rounds={given.rounds} checkpoint-every=20", "--engine", given.engine]
    moments, rows = random.Random(given.seed), []
    number = getattr(signal, given.signal) if given.signal else None
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        if start("--out", f"{folder}/whole", *config).wait():
            raise SystemExit("the run fails without being killed")
        length = time.monotonic() - began
        expected = read_summary(Path(folder) / "whole")["model_sha256"]
        for i in track(range(given.times), "runs ended and resumed"):
            after = moments.uniform(0, length)
            rows.append(attempt(Path(folder) / str(i), config, after, expected, number))
    report(f"{given.engine}: {given.rounds} rounds, {length:.1f} s unless killed", rows, given.out)
    raise SystemExit(not all(row["same model"] for row in rows))


if __name__ == "__main__":
    main()
