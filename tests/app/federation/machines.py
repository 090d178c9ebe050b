"""Machines on which printed commands are given: namespaces with network, home, names of their own.

Each is a network namespace (benchmarks/namespaces.py); each block of commands runs in a mount
namespace, as an ordinary user, with the machine's own home, /etc/hosts and /run. What a test lacks
has a stand-in, first in the PATH: `sudo` (packages and the firewall are the distribution's), `pip`
and `git` (this checkout is installed), `scp` (machines share a disk here), and `systemctl`, which
starts what stands in a unit's ExecStart (as_systemctl.py).
"""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from benchmarks.namespaces import SERVER, Machines
from tests.own_folders import write_images
from tests.test_docs import ROOT

HERE = Path(__file__).parent
USER = 4711  # whom root is there: an ordinary user, to whom this machine's own files are readable
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
chmod 700 /run/user/{USER}
exec unshare --user --map-user={USER} --map-group={USER} \\
  env -i HOME={HOME} XDG_RUNTIME_DIR=/run/user/{USER} PATH="$2:/usr/bin:/bin" LANG=C.UTF-8 \\
  PLACE="$1" BIN="$2" bash -euc "$3"
"""
SYSTEMCTL = """#!/bin/sh
exec {python} {script} "$@"
"""
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
        write_images(place / "data" / "images", 3)  # a doctor wants a device to have some
        (place / "hosts").write_text(f"127.0.0.1 localhost {name}\n{SERVER} {NAME}\n")
        checkout.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, checkout / part)

    def _write_stand_ins(self) -> None:
        own = Path(sys.executable).parent
        self.bin.mkdir(parents=True)
        for name, text in (
            ("sudo", "#!/bin/sh\n"), ("pip", "#!/bin/sh\n"), ("git", "#!/bin/sh\n"), ("scp", SCP),
            ("systemctl", SYSTEMCTL.format(python=sys.executable, script=HERE / "as_systemctl.py")),
            ("python3", PYTHON3.format(bin=own)),
        ):  # fmt: skip
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(stat.S_IRWXU | 0o055)
