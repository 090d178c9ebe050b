"""Seconds and bytes a round of a federation whose devices have slow links.

    python -m benchmarks.slow_link

A server and three devices are network namespaces (benchmarks/namespaces.py, root): 1 Mbit/s up,
4 Mbit/s down, 50 ms each way, every device with a link of its own. SuperLink and SuperNodes are set
up by signfed's own commands, with TLS and keys. FD CNN (N = 582,026) on noise of each device's own,
8 images a round: `sign-fd`, one bit each way, beside `mean` on float32. The first round, which
sends the model to all, is not counted.

A round is what is sent and what Flower waits for between messages; --quick shortens the second: an
idle SuperNode asks every 3 s whether there is work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.common import report
from benchmarks.namespaces import SERVER, Machines
from signfed.app.runs.folder import read_rounds, read_summary
from tests.loopback import BIN, ROOT
from tests.trial import QUICK, key_values

NODES = 3
RULES = {"sign-fd": {"lr": 0.001}, "mean": {"lr": 0.1}}
IMAGES = {"own-data.kind": "arrays", "own-data.shape": "1x28x28", "own-data.classes": "10"}


class Federation:
    """SuperLink and SuperNodes on machines of their own, set up by signfed's commands."""

    def __init__(self, place: Path, machines: Machines, *, quick: bool) -> None:
        self.place, self._machines, self._server = place, machines, place / "fed"
        self._env = os.environ | {"FLWR_HOME": str(self._server / "flower")}
        self._env |= {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1"}
        self._env |= {"PYTHONPATH": str(QUICK)} if quick else {}
        self._signfed("server", "federation", "init", self._server, "--host", SERVER)
        self._start("server", self._server / "start-superlink.sh")
        while self._signfed("server", "federation", "list", self._server)["superlink"] == "silent":
            time.sleep(1)
        for number in range(NODES):
            self._device(number)

    def run(self, config: dict[str, Any]) -> None:
        """Submit a run on the server, and wait for its end."""
        command = [str(BIN / "flwr"), "run", str(ROOT), "signfed", "--stream"]
        said = self._machines.run("server", [*command, "-c", key_values(config)], self._env)
        if read_summary(Path(config["out-dir"])).get("status") != "finished":
            raise SystemExit(said[-3000:])

    def _device(self, number: int) -> None:
        name, place = f"device-{number}", self.place / f"device-{number}"
        data = place / "data"
        data.mkdir(parents=True)
        draws = np.random.default_rng(number)
        x, y = draws.normal(size=(64, 1, 28, 28)), draws.integers(0, 10, 64)
        np.savez(data / "data.npz", x=x.astype(np.float32), y=y)
        request, home = place / f"{name}.csr", place / "home"
        self._signfed(name, "node", "request", "--out", request, "--home", home)
        given = ["federation", "approve", self._server, request, "--data-dir", data]
        approved = self._signfed("server", *given)
        self._signfed(
            name, "node", "install", approved["bundle"], "--home", home,
            "--fingerprint", approved["fingerprint"],
        )  # fmt: skip
        self._start(name, home / "start-node.sh")

    def _signfed(self, machine: str, *arguments: object) -> dict[str, Any]:
        command = [sys.executable, "-m", "signfed.app.cli", *map(str, arguments)]
        said = self._machines.run(machine, [*command, "--format", "json"], self._env)
        return dict(json.loads(said)["result"])

    def _start(self, machine: str, script: Path) -> None:
        with (self.place / f"{machine}.log").open("wb") as log:
            command = self._machines.command(machine, ["sh", str(script)])
            subprocess.Popen(
                command, stdout=log, stderr=log, env=self._env, start_new_session=True, cwd=ROOT
            )


def measured(place: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a rule: medians of the rounds after the first."""
    rows = []
    with Machines(NODES, given.up, given.down, given.delay / 1000) as machines:
        federation = Federation(place, machines, quick=given.quick)
        for rule, options in RULES.items():
            out = place / rule
            federation.run(
                {
                    "task": "own-data", **IMAGES, "model": "fd-cnn", "strategy": rule,
                    "attack": "none", "num-workers": NODES, "num-byzantine": 0, "device": "cpu",
                    "num-rounds": given.rounds + 1, "batch-size": 8, "data-dir": str(place),
                    "out-dir": str(out), "evaluate-every": given.rounds + 1, **options,
                }
            )  # fmt: skip
            lines = read_rounds(out)[1:]
            seconds = [line["seconds"]["clients"] for line in lines]
            rows.append(
                {
                    "rule": rule, "s a round": median(seconds), "least": min(seconds),
                    "most": max(seconds),
                    "MB up": sum(line["uplink_bytes"] for line in lines) / len(lines) / NODES / 1e6,
                    "MB down": sum(r["downlink_bytes"] for r in lines) / len(lines) / NODES / 1e6,
                }
            )  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--up", default="1mbit")
    parser.add_argument("--down", default="4mbit")
    parser.add_argument("--delay", type=float, default=50, help="milliseconds, each way")
    parser.add_argument("--quick", action="store_true", help="SuperNodes ask every 0.3 s, not 3 s")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        rows = measured(Path(place), given)
    fast, slow = (row["s a round"] for row in rows)
    asks = "0.3" if given.quick else "3"
    title = f"{given.rounds} rounds, {given.up} up, {given.down} down, {given.delay:g} ms"
    report(f"{title}, nodes ask every {asks} s: {slow / fast:.1f} times faster", rows, given.out)


if __name__ == "__main__":
    main()
