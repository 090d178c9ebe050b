"""From an empty Python environment to the first accepted update of an authenticated node.

    python -m benchmarks.first_update

The server runs, and waits with a run of one round; the device's key was approved, and its bundle
is there. Then two commands on the device: `pip install` and `signfed node install`, and the start
script that the second one wrote (with systemd, --start does that). pip's time is taken in two
parts: the wheels' way here, which is the network's (--wheels names a folder that has them), and
their installation without a network. Where the machine has more to do, look at the seconds of the
processor. At the end: what the environment takes on disk. --env takes an environment that has
signfed in it, and leaves pip out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import report
from signfed.app.federation import device, nodes, setup, superlink
from signfed.app.federation.settings import LOCAL, Home
from signfed.app.flower import guard
from tests.loopback import ROOT, free_port
from tests.trial import Federation, rounds_of
from tests.waiting import until

PATIENCE = 600.0
CONFIG = {
    "task": "own-data", "own-data.kind": "arrays", "own-data.shape": "8", "own-data.classes": "2",
    "strategy": "sign-mv", "attack": "none", "num-workers": 1, "num-byzantine": 0,
    "num-rounds": 1, "device": "cpu", "node-timeout": PATIENCE,
}  # fmt: skip


class Steps:
    """What was done, and how long each took."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started, before = time.monotonic(), os.times()
        yield
        now = os.times()  # of processes that have ended
        cpu = now.children_user + now.children_system
        cpu -= before.children_user + before.children_system
        self.rows.append({"step": step, "s": time.monotonic() - started, "CPU s": cpu})
        print(step, f"{self.rows[-1]['s']:.1f} s", flush=True)


def run(*command: object) -> None:
    """Have a command done; stop with what it said when it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")


def server(place: Path) -> tuple[Home, Path, str]:
    """A federation that is up, and the bundle of a device whose key was made before."""
    fed = Federation(place)
    setup.init(fed.server.path, [LOCAL], port=free_port(), bind=LOCAL)
    home = fed.server
    fed.start(home.start_script, place / "server.log")
    ca = home.ca.read_text()

    def answers() -> bool:
        try:
            return superlink.registered(home.settings.local_address, ca) == []
        except superlink.SuperLinkSilent:
            return False

    until(answers, "the SuperLink", PATIENCE)
    data = place / "data"
    data.mkdir()
    draws = np.random.default_rng(0)
    np.savez(data / "data.npz", x=draws.normal(size=(40, 8)), y=draws.integers(0, 2, 40))
    device.request(place / "pi.csr", place / "pi")
    approved = nodes.approve(home.path, place / "pi.csr", data_dir=str(data))
    fed.submit(CONFIG | {"data-dir": str(place / "none"), "out-dir": str(place / "run")})
    return home, Path(approved["bundle"]), approved["fingerprint"]


def with_pip(env: Path, place: Path, given: argparse.Namespace, steps: Steps) -> None:
    """Fill an empty environment."""
    here, pip = place / "wheels", [env / "bin/python", "-m", "pip"]
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", here, ROOT)
    (own,) = here.glob("signfed-*.whl")
    run(sys.executable, "-m", "venv", env)
    links = [part for folder in given.wheels for part in ("--find-links", folder)]
    with steps.timed("pip: the wheels' way here"):
        only = ["--no-cache-dir", "--only-binary=:all:", *links]
        run(*pip, "download", "-q", *only, "-d", here, *given.what, own)
    with steps.timed("pip: their installation"):
        run(*pip, "install", "-q", "--no-index", "--find-links", here, *given.what, own)


def measured(place: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The steps of the device, and the environment's size."""
    steps, node = Steps(), place / "pi"
    env: Path = given.env or place / "env"
    home, bundle, fingerprint = server(place)
    try:
        if not given.env:
            with_pip(env, place, given, steps)
        with steps.timed("signfed node install"):
            options = ["--fingerprint", fingerprint, "--home", node, "--port", free_port()]
            run(env / "bin/signfed", "node", "install", bundle, *options)
        with steps.timed("start, to the first accepted update"):
            log = (place / "node.log").open("wb")
            subprocess.Popen(["sh", node / "start-node.sh"], stdout=log, stderr=log)
            until(lambda: rounds_of(place / "run"), "the first round", PATIENCE)
        assert rounds_of(place / "run")[0]["received"] == 1
    finally:
        guard.end(str(node / "flower"), quick=True)
        guard.end(str(home.superlink_home), quick=True)
    total = {key: sum(row[key] for row in steps.rows) for key in ("s", "CPU s")}
    files = [file for file in env.rglob("*") if file.is_file() and not file.is_symlink()]
    size = {"step": f"all; {sum(f.stat().st_size for f in files) / 1e6:.0f} MB on disk"}
    return [*steps.rows, size | total]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "what", nargs="*", help="for pip besides signfed, such as torch==2.13.0+cpu"
    )
    parser.add_argument(
        "--wheels", action="append", default=[], help="a folder that pip looks into"
    )
    parser.add_argument("--env", type=Path, default=None, help="an environment that is there")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as place:
        rows = measured(Path(place), given)
    report("an empty environment to the first accepted update", rows, given.out)


if __name__ == "__main__":
    main()
