"""Where Flower's processes live: programs, folder, port, environment variables."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from signfed.app.flower import guard

BIN = Path(sys.executable).parent
# Ray's socket paths, `ray/session_.../sockets/plasma_store`, may have 107 characters in all.
LONGEST_HOME = 32
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class FlowerError(RuntimeError):
    """Flower itself did not start or did not take the run; the text holds what it printed."""


def environment(home: Path, ray_address: str | None = None) -> dict[str, str]:
    """Return the environment of Flower's processes: this one's, without what leads them astray.

    Parameters
    ----------
    home : Path
        Where Flower and Ray keep their files; its path is short.
    ray_address : str, optional
        A Ray cluster to run on. RAY_ADDRESS is not looked at: it may be that of another program, or
        of a cluster that is gone.
    """
    usual = {
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # With Ray's own 15 a node gets 3 % of a core beside one busy process.
        "RAY_worker_niceness": "0",
    }
    given = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    no_proxy = _with_loopback(given.get("no_proxy") or given.get("NO_PROXY") or "")
    own = {
        "FLWR_HOME": str(home),
        guard.MARK: "1",
        "RAY_TMPDIR": str(home),
        "PATH": os.pathsep.join([str(BIN), given.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([os.getcwd(), given.get("PYTHONPATH", "")]),
        "no_proxy": no_proxy,
        "NO_PROXY": no_proxy,
    }
    return usual | given | own | ({"RAY_ADDRESS": ray_address} if ray_address else {})


def short_folder() -> Path:
    """Make a folder whose path is short enough for Ray's sockets, in TMPDIR if that is.

    Raises
    ------
    FlowerError
        When there is no such place.
    """
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        with suppress(OSError):
            folder = tempfile.mkdtemp(prefix="signfed-", dir=parent)
            if len(folder) <= LONGEST_HOME:
                return Path(folder)
            os.rmdir(folder)
    raise FlowerError(
        f"Ray needs a folder for its sockets whose path has at most {LONGEST_HOME} characters, "
        f"and /tmp cannot be written to; set TMPDIR to a shorter one than {tempfile.gettempdir()}"
    )


def free_port() -> int:
    """Return a port of the loopback address that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK[0], 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Return the path of a program of Flower: beside this Python, or else on PATH.

    Parameters
    ----------
    name : str
        Such as "flower-superlink".

    Raises
    ------
    FlowerError
        When it is in neither place.
    """
    found = shutil.which(name, path=str(BIN)) or shutil.which(name)
    if found is None:
        raise FlowerError(
            f"{name}: found neither in {BIN} nor on PATH; pip install 'flwr[simulation]'"
        )
    return found


def _with_loopback(no_proxy: str) -> str:
    """The value of no_proxy with this machine's own addresses in it."""
    given = [host.strip() for host in no_proxy.split(",") if host.strip()]
    return ",".join([*given, *(host for host in LOOPBACK if host not in given)])
