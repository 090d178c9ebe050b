"""Ends the processes of a Flower of one's own, however the command that started them ends.

    python guard.py HOME

runs beside the command and reads its standard input, a pipe from the command. The pipe ends with
the command, also by SIGKILL. Then every process that has HOME as its FLWR_HOME is ended, Ray's
included, whoever its parent is by now, and the folder HOME is removed. The server gets time to save
the run's state, unless the command said `QUICK`: the run is over.

This file is run as a script, so it imports nothing of signfed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

QUICK = b"q"
SERVER = "flwr-simulation"  # Flower's process that runs the ServerApp
SAVE_TIME = 4.0  # seconds for the server to save the state; in all, less than ten must pass
END_TIME = 1.5  # seconds for all others to end before they are killed
LONGEST = 8.0  # seconds of looking for processes that are started while others are killed


def of_home(home: str) -> list[psutil.Process]:
    """All processes of this user that have this FLWR_HOME."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get("FLWR_HOME") == home:
                found.append(process)
    return found


def end(home: str, *, quick: bool) -> None:
    """End them all: the server first, which saves the run's state; kill what does not go."""
    if not quick:
        servers = [process for process in of_home(home) if _runs_server(process)]
        # Ray takes SIGTERM for itself; on SIGINT Flower calls what the ServerApp registered.
        _send(servers, signal.SIGINT)
        psutil.wait_procs(servers, timeout=SAVE_TIME)
    everyone = of_home(home)
    _send(everyone, signal.SIGTERM)
    psutil.wait_procs(everyone, timeout=END_TIME)
    deadline = time.monotonic() + LONGEST
    while (left := of_home(home)) and time.monotonic() < deadline:
        _send(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=0.2)


def _runs_server(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(SERVER in Path(part).name for part in process.cmdline()[:3])
    return False


def _send(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


def main(home: str) -> None:
    """Wait for the command to end, or to say so; then end what it started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    said = sys.stdin.buffer.read()
    end(home, quick=said == QUICK)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
