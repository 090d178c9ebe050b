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
MARK = "SIGNFED_GUARDED"  # environment variable of what a guard will end
SERVER = "flwr-simulation"  # Flower's process that runs the ServerApp
SAVE_TIME = 4.0  # seconds for the server to save the state; in all, less than ten must pass
END_TIME = 1.0  # seconds for all others to end before they are killed
LOOK = 0.05  # seconds between two looks
LONGEST = 8.0  # seconds of looking for processes that are started while others are killed
EXEC_TIME = 1.0  # seconds that a process may take to become another program


def of_home(home: str) -> list[psutil.Process]:
    """Return this user's processes that have this FLWR_HOME, or a file below it open."""
    return [p for p in psutil.process_iter() if p.pid != os.getpid() and _belongs(p, home)]


def _belongs(process: psutil.Process, home: str) -> bool:
    with suppress(psutil.Error, OSError):
        if _environment(process).get("FLWR_HOME") == home:
            return True
        # Ray's processes write their titles over their environment; their logs are below HOME.
        return any(file.path.startswith(home + os.sep) for file in process.open_files())
    return False


def _environment(process: psutil.Process) -> dict[str, str]:
    """Its environment, which Linux shows as empty while it becomes another program."""
    deadline = time.monotonic() + EXEC_TIME
    while not (found := process.environ()) and process.exe():  # a kernel's thread has no program
        if process.cmdline() or time.monotonic() > deadline:
            return process.environ()  # it is there by now, or there is none
        time.sleep(0.001)
    return found


def end(home: str, *, quick: bool) -> None:
    """End them all: the server first, which saves the run's state; kill what does not go.

    Parameters
    ----------
    home : str
        Their FLWR_HOME.
    quick : bool
        Whether the run is over, so that there is no state to save.
    """
    if not quick:
        servers = [process for process in of_home(home) if _runs_server(process)]
        # Ray takes SIGTERM for itself; on SIGINT Flower calls what the ServerApp registered.
        _send(servers, signal.SIGINT)
        _wait(servers, SAVE_TIME)
    everyone = of_home(home)
    _send(everyone, signal.SIGTERM)
    _wait(everyone, END_TIME)
    deadline = time.monotonic() + LONGEST
    while (left := of_home(home)) and time.monotonic() < deadline:
        _send(left, signal.SIGKILL)
        _wait(left, 0.2)


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    """Until all have ended; one that its parent has not yet taken note of has ended, too."""
    deadline = time.monotonic() + seconds
    while any(map(_lives, processes)) and time.monotonic() < deadline:
        time.sleep(LOOK)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


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
