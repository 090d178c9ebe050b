"""`signfed run` for real: Flower's SuperLink, Ray, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from signfed.app.runs.folder import read_rounds, read_summary
from tests.conftest import THREADS
from tests.federation import SHORT, federate

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

SIGNFED = [sys.executable, "-m", "signfed.app.cli"]
ROOT = Path(__file__).parents[3]
SHORT_CONFIG = " ".join(f"{key}={value!r}" for key, value in SHORT.items())


def environment(cwd: Path) -> dict[str, str]:
    # A bytecode cache halves the start of every process.
    dropped = {"PYTHONDONTWRITEBYTECODE", *THREADS}
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    return kept | {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": "/tmp"}


def start(cwd: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*SIGNFED, "run", "--out", str(cwd / "run"), *arguments],
        cwd=cwd, env=environment(cwd), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_a_simulated_run_ends_with_the_model_of_the_in_process_run(tmp_path):
    process = start(tmp_path, "-c", SHORT_CONFIG)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    summary = read_summary(tmp_path / "run")
    assert summary["status"] == "finished"
    assert summary["model_sha256"] == federate(tmp_path / "same").sha256
    assert "found lying: 0, 1, 2, 3, 4, 5" in output


FAILS_IN_ROUND_2 = """
from signfed import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        if updates.round == 2:
            raise ArithmeticError("this rule fails")
        return updates.dense()[0]
"""


def test_a_failed_run_says_why_and_does_not_exit_with_0(tmp_path):
    (tmp_path / "fails.py").write_text(FAILS_IN_ROUND_2)
    process = start(tmp_path, "-c", "strategy='fails:Fails' num-rounds=5")
    output, _ = process.communicate()
    assert process.returncode == 1, output
    summary = read_summary(tmp_path / "run")
    assert summary["status"] == "failed" and summary["rounds"] == 1
    assert "ArithmeticError: this rule fails" in summary["error"]
    assert "this rule fails" in output


def test_an_interrupted_run_keeps_its_rounds_and_leaves_no_process(tmp_path):
    process = start(tmp_path, "-c", "num-rounds=60000")
    deadline = time.monotonic() + 120
    while len(read_rounds(tmp_path / "run")) < 3:
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
        time.sleep(0.2)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 3
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert read_summary(tmp_path / "run")["status"] == "interrupted"
    assert len(read_rounds(tmp_path / "run")) >= 3
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


STORM = """
import sys, time

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation

from signfed.app import client_app
from signfed.app.server_app import run

path, stormy = sys.argv[1], sys.argv[2] == "storm"
CONFIG = {"num-rounds": 200, "evaluate-every": 200, "strategy": "sign-mv", "num-byzantine": 3,
          "lr": 0.003, "round-timeout": 6.0 if stormy else 60.0, "quorum": 0.3, "out-dir": path}


def weather(message, context, call_next):
    own = Context(
        context.run_id, context.node_id, context.node_config, context.state, dict(CONFIG)
    )  # run_simulation has no way to give one
    if stormy and message.metadata.message_type == "train":
        node, round = context.node_config["partition-id"], message.content["config"]["round"]
        if node == 1 and 20 <= round <= 30:
            raise RuntimeError("dead")
        if node == 1 and round == 31:
            context.state.clear()
        if node == 2 and round % 2:
            raise RuntimeError("no link")
        if node == 3 and round in (10, 40):
            time.sleep(7)
    return call_next(message, own)


clients, server = ClientApp(mods=[weather]), ServerApp()
clients.train()(client_app.train)
clients.query("hello")(client_app.hello)
server.main()(lambda grid, context: run(grid, CONFIG))
resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
run_simulation(server, clients, num_supernodes=5, backend_config=resources)
"""


def test_nodes_that_die_come_back_miss_rounds_and_come_late_cost_at_most_a_point(tmp_path):
    found = {}
    for weather in ("quiet", "storm"):
        command = [sys.executable, "-c", STORM, str(tmp_path / weather), weather]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[weather] = read_summary(tmp_path / weather), read_rounds(tmp_path / weather)
    (quiet, rounds), (storm, stormy) = found["quiet"], found["storm"]
    assert quiet["status"] == storm["status"] == "finished"
    assert all(r["received"] == 15 for r in rounds) and "skipped" not in str(stormy)
    missed = [r["dropped"] for r in stormy]
    assert all(d.get("error", 0) >= 3 for d in missed[::2])  # node 2
    assert all(d.get("error", 0) >= 3 for d in missed[19:30])  # node 1
    assert all(sum(missed[t - 1].values()) >= 3 for t in (10, 40))  # node 3
    assert stormy[30]["healed"] >= 1  # node 1 came back without the model
    assert storm["final_test_accuracy"] > quiet["final_test_accuracy"] - 0.01 > 0.9
