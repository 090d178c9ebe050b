"""Machines on which printed commands are given: namespaces with a network, a home, names of their own.

Each is a network namespace (benchmarks/namespaces.py); each block of commands runs in a mount
namespace, as an ordinary user, with the machine's own home, /etc/hosts and /run. What a container
or a test lacks has a stand-in, first in the PATH: `sudo` (packages and the firewall are the
distribution's), `pip` and `git` (this checkout is installed), `scp` (machines share a disk here), and
`systemctl`, which starts what stands in a unit's ExecStart, in the environment that systemd gives.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from benchmarks.namespaces import SERVER, Machines
from tests.test_docs import ROOT

USER = 4711  # nobody of this machine
NAME = "fl.example.org"
HOME, DATA, CHECKOUT = Path("/mnt"), Path("/srv/data"), "signfed"
PARTS = ("pyproject.toml", "README.md", "constraints.txt", "app", "attacks", "clients", "signfed",
         "strategies", "examples")  # fmt: skip
SYSTEMD = "/run/systemd/system"  # is there where systemd runs
# In a mount namespace of its own: home, hosts, data and /run of the machine.
ENTER = f"""
mount --bind "$1/home" {HOME} && mount --bind "$1/hosts" /etc/hosts
mount -t tmpfs tmpfs /srv && cp -r "$1/data" {DATA} && chmod -R a+rX /srv
mount -t tmpfs tmpfs /run && mkdir -p {SYSTEMD} /run/user/{USER}
chown {USER} /run/user/{USER} && chmod 700 /run/user/{USER}
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs \\
  env -i HOME={HOME} XDG_RUNTIME_DIR=/run/user/{USER} PATH="$2:/usr/bin:/bin" LANG=C.UTF-8 \\
  PLACE="$1" BIN="$2" bash -euc "$3"
"""
SYSTEMCTL = '''#!{python}
"""systemd's part, for units of a user: enable, start, restart, stop."""
import configparser, os, pathlib, shlex, signal, subprocess, sys, time

words = [word for word in sys.argv[1:] if not word.startswith("--")]
home = pathlib.Path(os.environ["HOME"])
if words[0] == "daemon-reload":
    raise SystemExit(0)
name = words[1].removesuffix(".service")
unit, pids = home / ".config/systemd/user" / f"{{name}}.service", home / f"{{name}}.pid"
if words[0] in ("restart", "stop", "disable") and pids.exists():
    os.killpg(int(pids.read_text()), signal.SIGTERM)
    while pids.exists() and subprocess.run(["pgrep", "-g", pids.read_text()], capture_output=True).stdout:
        time.sleep(0.2)
    pids.unlink()
if words[0] in ("enable", "start", "restart"):
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str
    read.read_string(unit.read_text())
    service = read["Service"]
    command = [word.replace("%%", "%") for word in shlex.split(service["ExecStart"])]
    given = {{"HOME": str(home), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"],
             "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}}
    with (home / f"{{name}}.log").open("ab") as log:
        started = subprocess.Popen(
            command, cwd=service["WorkingDirectory"].replace("%%", "%"), env=given, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, umask=int(service["UMask"], 8))
    pids.write_text(str(started.pid))
'''
SCP = """#!/bin/sh
set -eu
case "$1" in
  *:*) cp "$PLACE/../server/home/${1#*:}" "$2" ;;
  *) cp "$1" "$PLACE/../server/home/${2#*:}" ;;
esac
"""
PYTHON3 = """#!/bin/sh
set -eu
test "$*" = "-m venv .venv"
mkdir -p .venv/bin
echo 'export PATH="$BIN:{bin}:/usr/bin:/bin"' > .venv/bin/activate
"""


class Devices(Machines):
    """A server and devices, each with a checkout in its home, and nothing else.

    place: a folder that the machines' user can enter.
    """

    def __init__(self, place: Path, devices: int) -> None:
        super().__init__(devices)
        self.place, self.bin = place, place / "bin"
        self._write_stand_ins()
        for name in self.names:
            self._furnish(name)

    def give(self, name: str, block: str) -> str:
        """Give a machine a block of commands, in its checkout; what was said."""
        text = f"cd {HOME / CHECKOUT}\ntest ! -e .venv || . .venv/bin/activate\n{block}"
        place = self.place / name
        command = ["unshare", "--mount", "bash", "-euc", ENTER, "enter"]
        done = subprocess.run(
            self.command(name, [*command, str(place), str(self.bin), text]),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{name}: {block}\n{said}\n{self.logs(name)}"
        return said

    def ask(self, name: str, command: str) -> dict:
        """What a command of signfed answers."""
        return json.loads(self.give(name, f"{command} --format json 2>/dev/null"))["result"]

    def logs(self, name: str) -> str:
        """The ends of a machine's logs."""
        files = sorted((self.place / name / "home").glob("*.log"))
        return "\n".join(f"{f.name}: {f.read_text(errors='replace')[-3000:]}" for f in files)

    def _furnish(self, name: str) -> None:
        place = self.place / name
        checkout = place / "home" / CHECKOUT
        (place / "data").mkdir(parents=True)
        (place / "hosts").write_text(f"127.0.0.1 localhost {name}\n{SERVER} {NAME}\n")
        checkout.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, checkout / part)
        for path in [place, *place.rglob("*")]:
            os.chown(path, USER, USER, follow_symlinks=False)

    def _write_stand_ins(self) -> None:
        own = Path(sys.executable).parent
        self.bin.mkdir(parents=True)
        for name, text in (
            ("sudo", "#!/bin/sh\n"), ("pip", "#!/bin/sh\n"), ("git", "#!/bin/sh\n"), ("scp", SCP),
            ("systemctl", SYSTEMCTL.format(python=sys.executable)),
            ("python3", PYTHON3.format(bin=own)),
        ):  # fmt: skip
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(stat.S_IRWXU | 0o055)
