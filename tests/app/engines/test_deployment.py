"""A SuperLink and SuperNodes on loopback, without TLS; with it: federation/test_trial.py."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from signfed.app.runs.folder import read_rounds, read_summary
from tests.conftest import THREADS
from tests.federation import federate

GUARD = 900.0  # seconds, against hanging only: what is waited for are files and words of Flower
pytestmark = [pytest.mark.deployment, pytest.mark.timeout(GUARD + 20)]

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
NODES, ROUNDS = 2, 2  # each node starts a process for each message


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

    def start(self, name: str, program: str, *arguments: str) -> None:
        log = (self.path / f"{name}.log").open("wb")
        command = [str(BIN / program), *arguments]
        self.started.append(
            subprocess.Popen(command, env=self.environment(name), stdout=log, stderr=log)
        )

    def flwr(self, *arguments: str) -> dict:
        command = [str(BIN / "flwr"), *arguments, "--format", "json"]
        return json.loads(self._output(command))

    def run_to_its_end(self, config: str) -> str:
        """Flower's word on the run once it is over."""
        run_id = str(self.flwr("run", ".", "loopback", "-c", config)["run-id"])
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


@pytest.fixture
def processes(tmp_path):
    running = Processes(tmp_path)
    yield running
    running.end()


def test_supernodes_train_the_model_of_the_in_process_run(tmp_path, processes):
    link = f"127.0.0.1:{(port := free_port())}"
    processes.start(
        "superlink", "flower-superlink", "--insecure", "--host", "127.0.0.1",
        "--port", str(port), "--disable-runtime-dependency-installation",
    )  # fmt: skip
    for node in range(NODES):
        processes.start(
            f"node{node}", "flower-supernode", "--insecure", "--superlink", link,
            "--port", str(free_port()),
            "--node-config", f"partition-id={node} num-partitions={NODES}",
        )  # fmt: skip
    processes.environment("user")
    (tmp_path / "user" / "config.toml").write_text(
        f'[superlink]\ndefault = "loopback"\n'
        f'[superlink.loopback]\naddress = "{link}"\ninsecure = true\n'
    )
    wait_for_port(port, time.monotonic() + GUARD)
    short = (
        f"task='quadratic' num-rounds={ROUNDS}"  # no data: the messages are Flower's all the same
    )
    timeouts = f"node-timeout={GUARD} round-timeout={GUARD}"
    config = f"{short} {timeouts} out-dir='{tmp_path / 'run'}'"
    status = processes.run_to_its_end(config)
    assert status == "finished:completed", (tmp_path / "superlink.log").read_text()[-3000:]
    summary, rounds = read_summary(tmp_path / "run"), read_rounds(tmp_path / "run")
    assert summary["status"] == "finished", summary
    assert [(r["nodes"], r["received"]) for r in rounds] == [(NODES, 15)] * ROUNDS
    # The same workers and rounds in one process: the same bits.
    same = federate(
        tmp_path / "same", task="quadratic", num_rounds=ROUNDS, **{"sign-fd.estimator": "agreement"}
    )
    assert summary["model_sha256"] == same.sha256
    # What no device can know is refused before round 1.
    config = f"{short} attack='lie' out-dir='{tmp_path / 'refused'}'"
    assert processes.run_to_its_end(config) == "finished:failed"
    assert not (tmp_path / "refused").exists()


def wait_for_port(port: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
