"""Units handed to systemd, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.federation.files import write_once

RUNNING = Path("/run/systemd/system")  # is there while systemd is what started this machine
SYSTEM = Path("/etc/systemd/system")
ABSENT = "systemd is absent here: start it with the start script"


def present() -> bool:
    """Tell whether systemd runs this machine."""
    return RUNNING.is_dir() and shutil.which("systemctl") is not None


def start(unit: Path) -> str:
    """Install a unit, start it, and have it started whenever the machine starts.

    As root it is the system's, else the user's own.

    Parameters
    ----------
    unit : Path
        Its file.

    Returns
    -------
    str
        What was done, for a person to read.

    Raises
    ------
    ConfigError
        When systemd refuses; with what it said.
    """
    if not present():
        return ABSENT
    root = os.geteuid() == 0
    folder = SYSTEM if root else Path("~/.config/systemd/user").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    write_once(folder / unit.name, unit.read_text(encoding="utf-8"), 0o644)
    for command in (["daemon-reload"], ["enable", "--now", unit.name]):
        systemctl = ["systemctl", *([] if root else ["--user"]), *command]
        done = subprocess.run(systemctl, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip()
            raise ConfigError(f"{' '.join(systemctl)}: {said}; start it with the start script")
    if root:
        return f"started as the system's unit {unit.name}"
    return (
        f"started as the user's unit {unit.name}; so that it starts without a login: "
        "loginctl enable-linger"
    )
