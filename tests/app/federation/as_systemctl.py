"""systemd's part in a test, for units of a user: `systemctl --user start|restart|stop UNIT`.

`enable --now` starts, too; `enable` alone is for a machine that starts.

What is started is the unit's own ExecStart, in its WorkingDirectory, under its UMask and in the
bare environment that systemd gives; only its restarts after a failure are not systemd's here.
"""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

HOME = Path(os.environ["HOME"])
BARE = {"HOME": str(HOME), "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", ""),
        "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}  # fmt: skip


def plain(text: str) -> str:
    """What systemd makes of %%."""
    return text.replace("%%", "%")


def start(name: str) -> None:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((HOME / ".config/systemd/user" / f"{name}.service").read_text())
    service = read["Service"]
    with (HOME / f"{name}.log").open("ab") as log:
        started = subprocess.Popen(
            [plain(word) for word in shlex.split(service["ExecStart"])],
            cwd=plain(service["WorkingDirectory"]), umask=int(service["UMask"], 8), env=BARE,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    (HOME / f"{name}.pid").write_text(str(started.pid))


def stop(name: str) -> None:
    known = HOME / f"{name}.pid"
    if not known.exists():
        return
    group = known.read_text()
    with suppress(ProcessLookupError):  # it has ended
        os.killpg(int(group), signal.SIGTERM)
    while subprocess.run(["pgrep", "-g", group], capture_output=True).stdout:
        time.sleep(0.1)
    known.unlink()


def main(what: str, unit: str = "") -> None:
    name = unit.removesuffix(".service")
    if what in ("stop", "restart", "disable"):
        stop(name)
    if what in ("start", "restart") or (what == "enable" and "--now" in sys.argv):
        start(name)


if __name__ == "__main__":
    main(*[word for word in sys.argv[1:] if not word.startswith("--")])
