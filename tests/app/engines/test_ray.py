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

from signfed.app.runs.folder import read_rounds, read_summary
from tests.app.engines.commands import (
    GUARD,
    ROOT,
    SHORT_CONFIG,
    await_end,
    await_rounds,
    environment,
    last_line,
    start,
)
from tests.federation import federate, locally

pytestmark = [pytest.mark.ray, pytest.mark.timeout(GUARD + 120)]


def test_two_runs_side_by_side_where_everything_around_them_is_hostile(tmp_path):
    """Names of our own folders, a path with quotes, a proxy that is not there, a dead Ray cluster,
    a TMPDIR that is too long for sockets: each run ends with the model of the in-process run.
    """
    cwd = tmp_path / """it's "here" \U0001f600"""
    (cwd / "app").mkdir(parents=True)
    for name in ("app/__init__.py", "attacks.py", "strategies.py", "clients.py", "app.py"):
        (cwd / name).write_text("raise ImportError('a user's own file')")
    long_tmp = tmp_path / ("t" * 84)
    long_tmp.mkdir()
    around = {
        "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        "RAY_ADDRESS": "127.0.0.1:9", "TMPDIR": str(long_tmp), "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    runs = [start(cwd, "-c", SHORT_CONFIG, **around) for _ in range(2)]
    outputs = [process.communicate()[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], outputs
    same = federate(tmp_path / "same").sha256
    folders = list((cwd / "signfed-runs").iterdir())
    assert [read_summary(folder)["model_sha256"] for folder in folders] == [same] * 2
    assert {read_summary(folder)["status"] for folder in folders} == {"finished"}
    assert all("rejected: 0, 1, 2, 3, 4, 5" in output for output in outputs)
    assert list(long_tmp.iterdir()) == []


FAILS_IN_ROUND_2 = """
from signfed import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        if updates.server_round == 2:
            raise ArithmeticError("this rule fails")
        return updates.dense()[0]
"""


def test_a_failed_run_says_why_in_its_last_line(tmp_path):
    (tmp_path / "fails.py").write_text(FAILS_IN_ROUND_2)
    process = start(tmp_path, "--out", "run", "-c", "strategy='fails:Fails' num-rounds=5")
    output, _ = process.communicate()
    assert process.returncode == 1, output
    summary = read_summary(tmp_path / "run")
    assert summary["status"] == "failed" and summary["rounds"] == 1
    assert summary["error"] == "ArithmeticError: this rule fails"
    assert last_line(output) == "the run failed: ArithmeticError: this rule fails"


NO_DATA_ON_NODES = """
import ray, torch
from signfed import Dataset

def load(data_dir, download):
    if ray.is_initialized() and ray.get_runtime_context().get_actor_id():
        raise OSError("no such disk")
    x, y = torch.zeros(2000, 64), torch.arange(2000) % 4
    return Dataset(x, y, x, y)
"""


def test_nodes_that_cannot_load_their_data_are_not_waited_for(tmp_path):
    """The run would wait for ten minutes otherwise: longer than a test may last."""
    (tmp_path / "own.py").write_text(NO_DATA_ON_NODES)
    config = "task='own:load' model='mlp' strategy='sign-mv' node-timeout=600.0"
    process = start(tmp_path, "--out", "run", "-c", config)
    output, _ = process.communicate()
    assert process.returncode == 1, output
    assert "2 of 2 nodes take no part" in last_line(output)
    assert "OSError: no such disk" in last_line(output)


# SIGINT and SIGHUP go the way of SIGTERM: test_signals.py sends all four to the local engine.
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_signal_ends_everything_and_the_run_goes_on_from_there(tmp_path, name):
    path = tmp_path / "run"
    long = "num-rounds=60000 checkpoint-every=0 num-byzantine=3 batch-size=8"
    process = start(tmp_path, "--out", str(path), "-c", long)
    await_rounds(process, path, 2)
    time.sleep(random.Random(name).random())
    family = psutil.Process(process.pid).children(recursive=True)
    server = next(p for p in family if "flwr-simulation" in p.name())
    home = Path(server.environ()["FLWR_HOME"])
    sent = time.monotonic()
    process.send_signal(getattr(signal, name))
    output, _ = process.communicate()
    code = -signal.SIGKILL if name == "SIGKILL" else 130
    assert process.returncode == code, output
    assert await_end(family, sent + 10 - time.monotonic() if name == "SIGKILL" else 0) == []
    while home.exists():  # the guard's last work
        assert time.monotonic() < sent + GUARD
        time.sleep(0.05)
    summary, rounds = read_summary(path), read_rounds(path)
    assert (summary["status"], summary["rounds"]) == ("interrupted", len(rounds))
    last = f"round-{len(rounds):06d}"
    assert [place.name for place in (path / "checkpoints").iterdir()] == [last]
    if name != "SIGKILL":
        assert last_line(output) == f"interrupted: go on: signfed run --resume '{path}'"

    total = len(rounds) + 2  # on the other engine: the same bits
    again = start(tmp_path, "--engine", "local", "--resume", str(path), "-c", f"num-rounds={total}")
    output, _ = again.communicate()
    assert again.returncode == 0, output
    whole = {"num_byzantine": 3, "batch_size": 8, "num_rounds": total}
    whole |= {"sign_fd.estimator": "agreement", "sign_fd.initial_rounds": 50}
    assert read_summary(path)["model_sha256"] == locally(tmp_path / "whole", **whole).sha256


STORM = """
import sys, time
from pathlib import Path

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation

from signfed.app import client_app
from signfed.app.server_app import run

path = sys.argv[1]
CONFIG = {"num-rounds": 200, "evaluate-every": 200, "strategy": "sign-mv", "num-byzantine": 3,
          "lr": 0.003, "round-timeout": 10.0, "quorum": 0.3, "out-dir": path}


def await_the_end_of(round):  # the reply comes late, however busy the machine is
    for _ in range(600):
        if len((Path(path) / "rounds.jsonl").read_text().splitlines()) >= round:
            return
        time.sleep(0.1)


def weather(message, context, call_next):
    own = Context(
        context.run_id, context.node_id, context.node_config, context.state, dict(CONFIG)
    )  # run_simulation has no way to give one
    if message.metadata.message_type == "train":
        node, round = context.node_config["partition-id"], message.content["config"]["round"]
        if node == 1 and 20 <= round <= 30:
            raise RuntimeError("dead")
        if node == 1 and round == 31:
            context.state.clear()
        if node == 2 and round % 2:
            raise RuntimeError("no link")
        if node == 3 and round == 10:
            await_the_end_of(round)
    return call_next(message, own)


clients, server = ClientApp(mods=[weather]), ServerApp()
clients.train()(client_app.train)
clients.query("hello")(client_app.hello)
server.main()(lambda grid, context: run(grid, CONFIG))
resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
run_simulation(server, clients, num_supernodes=5, backend_config=resources)
"""


def test_nodes_that_die_come_back_miss_rounds_and_come_late_cost_at_most_a_point(tmp_path):
    command = [sys.executable, "-c", STORM, str(tmp_path / "storm")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    storm, stormy = read_summary(tmp_path / "storm"), read_rounds(tmp_path / "storm")
    keys = {"strategy": "sign-mv", "num_byzantine": 3, "lr": 0.003}
    keys |= {"num_rounds": 200, "evaluate_every": 200}
    quiet = locally(tmp_path / "quiet", **keys).summary  # the bits of a quiet federation
    assert storm["status"] == "finished" and "skipped" not in str(stormy)
    missed = [{why: len(ids) for why, ids in r["dropped"].items()} for r in stormy]
    assert all(d.get("error", 0) >= 3 for d in missed[::2])  # node 2
    assert all(d.get("error", 0) >= 3 for d in missed[19:30])  # node 1
    assert sum(missed[9].values()) >= 3  # node 3
    assert stormy[30]["healed"] >= 1  # node 1 came back without the model
    assert storm["final_test_accuracy"] > quiet["final_test_accuracy"] - 0.01 > 0.9
