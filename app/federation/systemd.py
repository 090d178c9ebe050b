"""Units handed to systemd, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.federation.files import make_way, write_once

RUNNING = Path("/run/systemd/system")  # is there while systemd is what started this machine
USERS = Path("~/.config/systemd/user")
ABSENT = "systemd is absent here: start it with the start script"


def present() -> bool:
    """Tell whether systemd runs this machine."""
    return RUNNING.is_dir() and shutil.which("systemctl") is not None


def expect_a_user() -> None:
    """Raise ConfigError for root, since a node carries out what the server sends."""
    if present() and os.geteuid() == 0:
        raise ConfigError(
            "--start: expected an ordinary user; a node carries out code that its server sends, "
            "and should not do so as root: sudo -iu USER, and give both commands there"
        )


def expect_own(unit: Path) -> None:
    """Raise ConfigError where this user has a unit of that name which starts another node.

    Parameters
    ----------
    unit : Path
        Its file, in the node's own folder.
    """
    installed = USERS.expanduser() / unit.name
    if installed.is_file() and str(unit.parent) not in installed.read_text("utf-8", "replace"):
        raise ConfigError(
            f"--start: expected no {installed}, or one that starts the node in {unit.parent}; it "
            "starts another one of that name: start this one with its start script, or make its "
            "request under another name"
        )


def start(unit: Path, mark: str) -> str:
    """Install a unit as this user's, start it anew, and have it started with the machine.

    Parameters
    ----------
    unit : Path
        Its file.
    mark : str
        With which another unit of that name is put aside; systemd does not read it then.

    Returns
    -------
    str
        What was done, for a person to read.

    Raises
    ------
    ConfigError
        When systemd refuses, with what it said.
    """
    if not present():
        return ABSENT
    folder, text = USERS.expanduser(), unit.read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    make_way(folder / unit.name, text, mark)
    write_once(folder / unit.name, text, 0o644)
    # Not `enable --now`, which leaves a node that runs as it was started before.
    for command in (["daemon-reload"], ["enable", unit.name], ["restart", unit.name]):
        systemctl = ["systemctl", "--user", *command]
        done = subprocess.run(systemctl, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip()
            raise ConfigError(f"{' '.join(systemctl)}: {said}; start it with the start script")
    return (
        f"started as the user's unit {unit.name}; so that it starts without a login: "
        "loginctl enable-linger"
    )
