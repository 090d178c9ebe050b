"""A federation of real processes on loopback: a SuperLink, SuperNodes, and `flwr` itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.conftest import THREADS

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Processes:
    """Programs with a home each, all ended with everything that they started."""

    def __init__(self, path: Path) -> None:
        self.path, self.started = path, []

    def environment(self, name: str) -> dict[str, str]:
        dropped = {"PYTHONDONTWRITEBYTECODE", *THREADS}
        kept = {k: v for k, v in os.environ.items() if k not in dropped}
        home = self.path / name
        home.mkdir(exist_ok=True)
        return kept | {
            "FLWR_HOME": str(home),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
        }

    def start(self, name: str, *command: str) -> None:
        log = (self.path / f"{name}.log").open("wb")
        self.started.append(
            subprocess.Popen(command, env=self.environment(name), stdout=log, stderr=log)
        )

    def federation(
        self,
        nodes: int,
        node_config: str = "",
        patience: float = 900.0,
        supernode: Sequence[str] = (str(BIN / "flower-supernode"),),
    ) -> None:
        """A SuperLink, SuperNodes with a partition each, and a user who knows the SuperLink."""
        link = f"127.0.0.1:{(port := free_port())}"
        self.start(
            "superlink", str(BIN / "flower-superlink"), "--insecure", "--host", "127.0.0.1",
            "--port", str(port), "--disable-runtime-dependency-installation",
        )  # fmt: skip
        for node in range(nodes):
            self.start(
                f"node{node}", *supernode, "--insecure", "--superlink", link,
                "--port", str(free_port()), "--node-config",
                f"partition-id={node} num-partitions={nodes} {node_config}".strip(),
            )  # fmt: skip
        self.environment("user")
        (self.path / "user" / "config.toml").write_text(
            f'[superlink]\ndefault = "loopback"\n'
            f'[superlink.loopback]\naddress = "{link}"\ninsecure = true\n'
        )
        wait_for_port(port, time.monotonic() + patience)

    def flwr(self, *arguments: str) -> dict:
        command = [str(BIN / "flwr"), *arguments, "--format", "json"]
        return json.loads(self._output(command))

    def run_to_its_end(self, config: str, app: Path = ROOT) -> str:
        """Flower's word on the run once it is over."""
        run_id = str(self.flwr("run", str(app), "loopback", "-c", config)["run-id"])
        self._output([str(BIN / "flwr"), "log", run_id, "loopback", "--stream"])  # ends with it
        (run,) = self.flwr("ls", "loopback", "--run-id", run_id)["runs"]
        return run["status"]

    def _output(self, command: list[str]) -> str:
        environment = self.environment("user")
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        return done.stdout

    def end(self) -> None:
        tree = [psutil.Process(p.pid) for p in self.started if p.poll() is None]
        tree += [child for p in tree for child in p.children(recursive=True)]
        for process in tree:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        for process in self.started:
            process.wait()


def wait_for_port(port: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
