"""`signfed run` for real: Flower's SuperLink, Ray, and nothing left behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import signfed
from signfed.app.runs.folder import read_rounds, read_summary
from tests.app.engines.commands import (
    ROOT,
    SHORT_CONFIG,
    await_end,
    await_rounds,
    environment,
    last_line,
    start,
)
from tests.federation import federate, locally
from tests.waiting import GUARD, until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(4 * GUARD)]

SURROUNDINGS = {
    "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
    "RAY_ADDRESS": "127.0.0.1:9", "PATH": "/usr/bin:/bin",
}  # fmt: skip
LONG = {"num-byzantine": 3, "batch-size": 8, "num-rounds": 60000, "checkpoint-every": 0}


def test_two_runs_side_by_side_of_which_one_is_killed_and_stopped_and_goes_on(tmp_path):
    """Names of our own folders, a path with quotes, a proxy that is not there, a dead Ray cluster,
    a TMPDIR that is too long for sockets: a run ends with the model of the in-process run.

    SIGKILL beside it ends all that belongs to the other run and nothing else. That one goes on, is
    ended by SIGTERM, and goes on in the local engine: every time with the same bits.
    """
    cwd = tmp_path / """it's "here" \U0001f600"""
    (cwd / "app").mkdir(parents=True)
    for name in ("app/__init__.py", "attacks.py", "strategies.py", "clients.py", "app.py"):
        (cwd / name).write_text("raise ImportError('a user's own file')")
    long_tmp = tmp_path / ("t" * 84)
    long_tmp.mkdir()
    around = SURROUNDINGS | {"TMPDIR": str(long_tmp)}
    path = tmp_path / "long"
    config = " ".join(f"{key}={value}" for key, value in LONG.items())
    long = start(cwd, "--out", str(path), "-c", config, **around)
    short = start(cwd, "-c", SHORT_CONFIG, **around)
    _, code = ended(long, path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    output, _ = short.communicate()
    assert short.returncode == 0, output
    (folder,) = (cwd / "signfed-runs").iterdir()
    assert read_summary(folder)["status"] == "finished"
    assert read_summary(folder)["model_sha256"] == federate(tmp_path / "same").sha256
    assert "rejected: 0, 1, 2, 3, 4, 5" in output and list(long_tmp.iterdir()) == []

    output, code = ended(start(cwd, "--resume", str(path)), path, signal.SIGTERM)
    assert code == 130, output
    assert last_line(output) == f"interrupted: go on: signfed run --resume '{path}'"
    total = len(read_rounds(path)) + 2
    signfed.run({"num-rounds": total, "resume": str(path)})
    same = {key.replace("-", "_"): value for key, value in LONG.items()} | {"num_rounds": total}
    same |= {"sign_fd.estimator": "agreement", "sign_fd.initial_rounds": 50}
    assert read_summary(path)["model_sha256"] == locally(tmp_path / "whole", **same).sha256


def ended(process, path, number):
    """End a run by a signal, after two rounds more, at some moment: what it printed, its code.

    All that it started is gone, after SIGKILL only later, and its state is that of its last round.
    """
    await_rounds(process, path, len(read_rounds(path)) + 2)
    time.sleep(random.Random(number).random())
    family = psutil.Process(process.pid).children(recursive=True)
    server = next(p for p in family if "flwr-simulation" in p.name())
    home = Path(server.environ()["FLWR_HOME"])
    process.send_signal(number)
    output, _ = process.communicate()
    assert await_end(family, GUARD if number == signal.SIGKILL else 0) == []
    until(lambda: not home.exists(), "the guard's last work")
    summary, rounds = read_summary(path), read_rounds(path)
    assert (summary["status"], summary["rounds"]) == ("interrupted", len(rounds))
    assert f"round-{len(rounds):06d}" in [place.name for place in (path / "checkpoints").iterdir()]
    return output, process.returncode


STORM = """
import sys

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation

from signfed.app import client_app
from signfed.app.server_app import run

path = sys.argv[1]
CONFIG = {"num-rounds": 12, "evaluate-every": 12, "strategy": "sign-mv", "num-byzantine": 3,
          "lr": 0.01, "round-timeout": 600.0, "quorum": 0.3, "out-dir": path}


def weather(message, context, call_next):
    own = Context(
        context.run_id, context.node_id, context.node_config, context.state, dict(CONFIG)
    )  # run_simulation has no way to give one
    if message.metadata.message_type == "train":
        node, round = context.node_config["partition-id"], message.content["config"]["round"]
        if node == 1 and 5 <= round <= 10:
            raise RuntimeError("dead")
        if node == 1 and round == 11:
            context.state.clear()
        if node == 2 and round % 2:
            raise RuntimeError("no link")
    return call_next(message, own)


clients, server = ClientApp(mods=[weather]), ServerApp()
clients.train()(client_app.answer)
clients.query("hello")(client_app.answer)
server.main()(lambda grid, context: run(grid, CONFIG))
resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
run_simulation(server, clients, num_supernodes=5, backend_config=resources)
"""


def test_nodes_that_die_come_back_and_miss_rounds(tmp_path):
    """In Ray's processes; nothing waits for a deadline. Late replies: tests/simulation."""
    command = [sys.executable, "-c", STORM, str(tmp_path / "storm")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary, rounds = read_summary(tmp_path / "storm"), read_rounds(tmp_path / "storm")
    assert summary["status"] == "finished" and "skipped" not in str(rounds)
    missed = [{why: len(ids) for why, ids in r["dropped"].items()} for r in rounds]
    assert all(d.get("error", 0) >= 3 for d in missed[::2])  # node 2
    assert all(d.get("error", 0) >= 3 for d in missed[4:10])  # node 1
    assert rounds[10]["healed"] >= 1  # node 1 came back without the model
    assert summary["final_test_accuracy"] > 0.7  # it learned; chance is 0.1
