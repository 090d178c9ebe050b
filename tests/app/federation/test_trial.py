"""A federation of real processes: TLS, node authentication, data of its own on each node."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from signfed.app.federation import device
from signfed.app.federation.files import private_folder
from signfed.app.federation.scripts import read_node_script
from signfed.app.runs import checkpoint
from signfed.app.runs.folder import read_summary
from signfed.strategies.server.optimizer import model_sha256
from tests.conftest import THREADS
from tests.loopback import free_port
from tests.own_folders import SCHEMA, write_federation
from tests.replay import replayed
from tests.trial import QUICK, Federation, rounds_of, signfed
from tests.waiting import GUARD, until

pytestmark = pytest.mark.deployment
NODES, LAST = 3, 2  # LAST: the node that is killed
ROUNDS = 100_000  # more than there is time for: the test ends the run


@pytest.fixture
def federation(tmp_path, monkeypatch):
    for name in ("PYTHONDONTWRITEBYTECODE", *THREADS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLWR_SUPEREXEC_TASK_POLL_INTERVAL", "0.1")
    monkeypatch.setenv("PYTHONPATH", str(QUICK))
    data, path = write_federation(tmp_path / "data"), tmp_path / "trial"
    try:
        signfed("federation", "up", NODES, "--dir", path, "--data-dir", data)
        yield Federation(path)
    finally:
        if (path / "server" / "federation.json").exists():
            signfed("federation", "down", "--dir", path)
            found = signfed("federation", "status", "--dir", path)["result"]["processes"]
            assert set(found.values()) == {"does not run"}


def stranger(federation: Federation) -> subprocess.Popen[bytes]:
    """Who knows all that node-0 knows, but for its key."""
    path, node = private_folder(federation.path / "stranger"), federation.nodes()[0]
    device.request(path / "stranger.csr", path)
    text = node.script.read_text().replace(str(node.key), str(path / "node.key"))
    port = read_node_script(text)["--port"]
    (path / "start.sh").write_text(text.replace(f"--port {port}", f"--port {free_port()}"))
    return federation.start(path / "start.sh", path / "log")


def test_three_nodes_train_on_their_own_data_and_the_rows_that_counted_are_the_model(
    federation, tmp_path
):
    path, server, out = federation.path, federation.server.path, tmp_path / "run"
    data, node = tmp_path / "data", federation.nodes()[LAST]
    config = SCHEMA | {
        "strategy": "sign-fd", "attack": "sign-inversion", "num-workers": NODES,
        "num-byzantine": 1, "num-rounds": ROUNDS, "batch-size": 4, "lr": 0.01, "device": "cpu",
        "data-dir": str(data), "out-dir": str(out), "checkpoint-every": 1,
        "node-timeout": GUARD, "round-timeout": GUARD, "quorum": 0.3,
    }  # fmt: skip
    run_id = federation.submit(config)
    refused = stranger(federation)

    def seen(holds: Callable[[dict], bool], after: int = 0) -> int:
        """The first such round after that one."""

        def found() -> int:
            assert read_summary(out).get("status", "running") == "running"
            return next((r["round"] for r in rounds_of(out)[after:] if holds(r)), 0)

        return until(found, "a round")

    begun = seen(lambda r: r["received"] == NODES)
    federation.kill(node)
    killed = seen(lambda r: LAST in r["dropped"].get("error", ()), begun)  # Flower's, in its place
    signfed("federation", "up", NODES, "--dir", path)  # the same key: the same workers at once
    back = seen(lambda r: r["received"] == NODES, killed)
    signfed("federation", "remove", server, node.path.name)
    seen(lambda r: LAST in r["dropped"].get("no-node", ()), back)
    assert refused.wait(GUARD) != 0 and "305" in (path / "stranger" / "log").read_text()
    assert signfed("federation", "doctor", server)["ok"]
    assert signfed("node", "doctor", "--home", path / "node-0")["ok"]
    assert signfed("federation", "rotate", server)["result"]["superlink"] == "shows it"
    seen(lambda r: "test_accuracy" in r)
    federation.flwr("stop", run_id, "signfed")
    until(lambda: read_summary(out)["status"] == "interrupted", "the end of the run")

    last = checkpoint.read(checkpoint.list_checkpoints(out)[-1])
    assert last.server_round == len(rounds_of(out))
    assert model_sha256(last.state["parameters"].numpy()) == replayed(out)
