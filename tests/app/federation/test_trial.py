"""A federation of real processes: TLS, node authentication, a run, and who is kept out of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.engines import guard
from signfed.app.federation import device
from signfed.app.federation.files import private_folder
from signfed.app.runs.folder import read_rounds
from tests.conftest import THREADS

GUARD = 900.0  # seconds, against hanging only: what is waited for are events
pytestmark = [pytest.mark.deployment, pytest.mark.timeout(GUARD + 60)]
ROOT = Path(__file__).parents[3]


def signfed(*arguments, code=0):
    done = CliRunner().invoke(app, [*map(str, arguments), "--format", "json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def until(true, what):
    deadline = time.monotonic() + GUARD
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.2)
    return found


class Federation:
    """A trial that is up."""

    def __init__(self, path: Path) -> None:
        self.path, self.server = path, path / "server"

    def flwr(self, *arguments):
        environment = os.environ | {"FLWR_HOME": str(self.server / "flower")}
        program = str(Path(sys.executable).parent / "flwr")
        done = subprocess.run(
            [program, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def start(self, script: Path, log: Path) -> subprocess.Popen:
        with log.open("wb") as output:
            return subprocess.Popen(
                ["/bin/sh", str(script)], stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "FLWR_HOME": str(script.parent / "flower")},
            )  # fmt: skip


@pytest.fixture
def federation(tmp_path, monkeypatch):
    for name in ("PYTHONDONTWRITEBYTECODE", *THREADS):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "trial"
    try:
        signfed("federation", "up", 3, "--dir", path)
        yield Federation(path)
    finally:
        if (path / "server" / "federation.json").exists():
            signfed("federation", "down", "--dir", path)
            found = signfed("federation", "status", "--dir", path)["result"]["processes"]
            assert set(found.values()) == {"does not run"}


def test_a_federation_trains_and_keeps_out_who_has_no_business_there(federation, tmp_path):
    path, server = federation.path, federation.server
    # A stranger knows all that node-0 knows, but for its key.
    stranger = private_folder(path / "stranger")
    device.request(stranger / "stranger.csr", stranger)
    copied = (path / "node-0" / "start-node.sh").read_text().replace(
        str(path / "node-0" / "node.key"), str(stranger / "node.key")
    )  # fmt: skip
    (stranger / "start.sh").write_text(copied)
    refused = federation.start(stranger / "start.sh", path / "stranger.log")
    # A node with a key, but another's partition.
    script = path / "node-2" / "start-node.sh"
    guard.end(str(path / "node-2" / "flower"), quick=True)
    script.write_text(script.read_text().replace("partition-id=2", "partition-id=0"))
    thief = federation.start(script, path / "thief.log")

    out = tmp_path / "run"
    config = (
        "task='quadratic' strategy='sign-mv' attack='none' num-workers=2 num-byzantine=0 "
        f"num-rounds=1000 node-timeout={GUARD} round-timeout={GUARD} out-dir='{out}'"
    )
    said = federation.flwr("run", ".", "signfed", "--format", "json", "-c", config)
    run_id = str(json.loads(said)["run-id"])
    log = path / "run.log"
    with log.open("wb") as output:
        program = str(Path(sys.executable).parent / "flwr")
        reader = subprocess.Popen(
            [program, "log", run_id, "signfed", "--stream"], stdout=output, stderr=output,
            env=os.environ | {"FLWR_HOME": str(server / "flower")},
        )  # fmt: skip
    try:
        rounds = out / "rounds.jsonl"
        until(lambda: rounds.exists() and len(read_rounds(out)) >= 2, "two rounds")
        assert all(r["received"] == 2 for r in read_rounds(out)[:2])
        wrong = "claims partition 0 of 3, its key is approved for 2 of 3"
        until(lambda: wrong in log.read_text(), "the refusal of another's partition")
        assert refused.wait(GUARD) != 0 and thief.poll() is None

        assert signfed("federation", "doctor", server)["ok"]
        checks = {
            f["check"] for f in signfed("node", "doctor", "--home", path / "node-0")["findings"]
        }
        assert {"clock", "certificate", "registration"} <= checks
        (found,) = [
            f for f in signfed("node", "doctor", "--home", path / "node-2", code=1)["findings"]
            if f["level"] == "error"
        ]  # fmt: skip
        assert found["check"] == "script"  # what the run's log says, said on the device
        assert signfed("federation", "rotate", server)["result"]["superlink"] == "shows it"

        signfed("federation", "remove", server, "node-1")
        done = until(
            lambda: [r for r in read_rounds(out) if r["dropped"].get("no-node") == [1]],
            "a round without the node that was removed",
        )
        assert done[0]["received"] == 1
    finally:
        federation.flwr("stop", run_id, "signfed")
        reader.wait(GUARD)
