"""Units handed to systemd, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.federation.files import write_once

RUNNING = Path("/run/systemd/system")  # is there while systemd is what started this machine
ABSENT = "systemd is absent here: start it with the start script"


def present() -> bool:
    """Tell whether systemd runs this machine."""
    return RUNNING.is_dir() and shutil.which("systemctl") is not None


def start(unit: Path) -> str:
    """Install a unit as this user's, start it, and have it started with the machine.

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
        For root, since a node carries out what the server sends; and when systemd refuses, with
        what it said.
    """
    if not present():
        return ABSENT
    if os.geteuid() == 0:
        raise ConfigError(
            "--start: expected an ordinary user; a node carries out code that its server sends, "
            "and should not do so as root: sudo -iu USER, and give both commands there"
        )
    folder = Path("~/.config/systemd/user").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    write_once(folder / unit.name, unit.read_text(encoding="utf-8"), 0o644)
    for command in (["daemon-reload"], ["enable", "--now", unit.name]):
        systemctl = ["systemctl", "--user", *command]
        done = subprocess.run(systemctl, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip()
            raise ConfigError(f"{' '.join(systemctl)}: {said}; start it with the start script")
    return (
        f"started as the user's unit {unit.name}; so that it starts without a login: "
        "loginctl enable-linger"
    )
