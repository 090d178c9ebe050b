"""Seconds and bytes a round of a federation whose devices have slow links.

    python -m benchmarks.slow_link            # under five minutes on a quiet machine

A server and three devices are network namespaces (benchmarks/namespaces.py, root): 1 Mbit/s up,
4 Mbit/s down, 50 ms each way, every device with a link of its own. SuperLink and SuperNodes are set
up by signfed's own commands, with TLS and keys. FD CNN (N = 582,026) on noise of each device's own,
8 images a round: `sign-fd`, one bit each way, beside `mean` on float32. The first round, which
sends the model to all, is not counted.

Where the seconds go, of the device that ends a round (benchmarks/round_parts.py): bytes, by the
link's rates; round trips, four by the link's delay; pauses between two looks for a request; the
process that answers; the server, which sends the requests and fetches the replies; and what is left
of requests on the link: the processors at both ends, and TCP's slow start. For the floor, a round
in which nobody sends anything (benchmarks/empty_round) on the same nodes. --usual has the devices
run Flower's own SuperNode in place of signfed's.
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
from benchmarks.round_parts import ROUND_TRIPS, Times
from signfed.app.node.supernode import ITSELF as SUPERNODE
from signfed.app.runs.folder import read_rounds, read_summary
from tests.loopback import BIN, ROOT
from tests.trial import key_values

NODES, EMPTY = 3, ROOT / "benchmarks" / "empty_round"
ON_THE_LINK = ("looks", "fetches", "announces", "replies")
UNITS = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
RULES = {"sign-fd": {"lr": 0.001}, "mean": {"lr": 0.1}}
IMAGES = {"own-data.kind": "arrays", "own-data.shape": "1x28x28", "own-data.classes": "10"}


class Federation:
    """SuperLink and SuperNodes on machines of their own, set up by signfed's commands."""

    def __init__(self, place: Path, machines: Machines, *, usual: bool) -> None:
        self.place, self._machines, self._server = place, machines, place / "fed"
        self._usual, self.times = usual, Times(place / "requests.jsonl")
        home = {"FLWR_HOME": str(self._server / "flower")}
        self._env = os.environ | self.times.environment | home
        self._signfed("server", "federation", "init", self._server, "--host", SERVER)
        self._start("server", self._server / "start-superlink.sh")
        while self._signfed("server", "federation", "list", self._server)["superlink"] == "silent":
            time.sleep(1)
        for number in range(NODES):
            self._device(number)

    def run(self, config: dict[str, Any], app: Path = ROOT) -> str:
        """Submit a run on the server, and wait for its end; what was said."""
        command = [str(BIN / "flwr"), "run", str(app), "signfed", "--stream"]
        return self._machines.run("server", [*command, "-c", key_values(config)], self._env)

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
        script = home / "start-node.sh"
        if self._usual:
            ours = f"{sys.executable} -m {SUPERNODE}"
            script.write_text(script.read_text().replace(ours, str(BIN / "flower-supernode")))
        self._start(name, script)

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


def rate(text: str) -> float:
    """Bits a second, as tc writes them."""
    return float(text[:-4]) * UNITS[text[-4:]]


def empty(federation: Federation, place: Path, rounds: int) -> list[float]:
    """Seconds of rounds in which nobody sends anything."""
    out = place / "empty.json"
    said = federation.run({"rounds": rounds, "nodes": NODES, "out": str(out)}, EMPTY)
    if not out.exists():
        raise SystemExit(said[-3000:])
    return [float(s) for s in json.loads(out.read_text())]


def trained(federation: Federation, place: Path, rule: str, rounds: int) -> list[dict[str, Any]]:
    """The records of the rounds of a rule."""
    out = place / rule
    said = federation.run(
        {
            "task": "own-data", **IMAGES, "model": "fd-cnn", "strategy": rule,
            "attack": "none", "num-workers": NODES, "num-byzantine": 0, "device": "cpu",
            "num-rounds": rounds, "batch-size": 8, "data-dir": str(place),
            "out-dir": str(out), "evaluate-every": rounds, **RULES[rule],
        }
    )  # fmt: skip
    if read_summary(out).get("status") != "finished":
        raise SystemExit(said[-3000:])
    return read_rounds(out)


def measured(place: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for nothing and one a rule: medians of the rounds after the first."""
    rows: list[dict[str, Any]] = []

    def add(what: str, seconds: list[float], up: float, down: float) -> None:
        parts = federation.times.parts(len(seconds))
        link = 8 * up / rate(given.up) + 8 * down / rate(given.down)
        trips = ROUND_TRIPS * 2 * given.delay / 1000
        total, carried = median(seconds), sum(parts[way] for way in ON_THE_LINK)
        row = {
            "round": what, "s": total, "least": min(seconds), "most": max(seconds),
            "MB up": up / 1e6, "MB down": down / 1e6, "bytes": link, "round trips": trips,
            "pauses": parts["waits"], "process": parts["answers"],
            "server": total - carried - parts["waits"] - parts["answers"],
            "rest": carried - link - trips,
        }  # fmt: skip
        rows.append(row)
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)

    with Machines(NODES, given.up, given.down, given.delay / 1000) as machines:
        federation = Federation(place, machines, usual=given.usual)
        add("empty", empty(federation, place, given.rounds + 1)[1:], 0, 0)
        for rule in RULES:
            lines = trained(federation, place, rule, given.rounds + 1)[1:]
            seconds = [line["seconds"]["clients"] for line in lines]
            up, down = (
                sum(line[f"{way}_bytes"] for line in lines) / len(lines) / NODES
                for way in ("uplink", "downlink")
            )
            add(rule, seconds, up, down)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--up", default="1mbit")
    parser.add_argument("--down", default="4mbit")
    parser.add_argument("--delay", type=float, default=50, help="milliseconds, each way")
    parser.add_argument("--usual", action="store_true", help="with Flower's own SuperNode")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        rows = measured(Path(place), given)
    _, fast, slow = (row["s"] for row in rows)
    nodes = "Flower's SuperNode" if given.usual else "signfed's SuperNode"
    title = f"{given.rounds} rounds, {given.up} up, {given.down} down, {given.delay:g} ms, {nodes}"
    report(f"{title}: {slow / fast:.1f} times faster", rows, given.out)


if __name__ == "__main__":
    main()
