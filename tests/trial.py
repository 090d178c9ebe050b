"""A trial of real processes, driven by the commands that a person gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.federation.device import NodeHome
from signfed.app.federation.trial import Trial
from signfed.app.flower import guard
from signfed.app.runs.folder import read_rounds

ROOT = Path(__file__).parents[1]
QUICK = ROOT / "tests" / "quick_flower"  # for PYTHONPATH: Flower's nodes wait for less


def signfed(*arguments: object, code: int = 0) -> dict[str, Any]:
    """What a command answers."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--format", "json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def key_values(config: Mapping[str, Any]) -> str:
    """A run config as `-c` takes it."""
    return " ".join(f"{k}='{v}'" if isinstance(v, str) else f"{k}={v}" for k, v in config.items())


class Federation(Trial):
    """A trial that is up, and what is done to it."""

    def flwr(self, *arguments: str) -> str:
        """What `flwr` says, of both streams."""
        environment = os.environ | {"FLWR_HOME": str(self.server.flower_home)}
        program = str(Path(sys.executable).parent / "flwr")
        done = subprocess.run(
            [program, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def submit(self, config: Mapping[str, Any]) -> str:
        """Start a run; its id."""
        said = self.flwr("run", ".", "signfed", "--format", "json", "-c", key_values(config))
        return str(json.loads(said)["run-id"])

    def status_of(self, run_id: str) -> str:
        """Flower's word on a run."""
        said = self.flwr("ls", "signfed", "--run-id", run_id, "--format", "json")
        return str(json.loads(said)["runs"][0]["status"])

    def signal(self, flower_home: Path, number: int) -> None:
        """Send a signal to all processes of a node or the server, at once."""
        for process in guard.of_home(str(flower_home)):
            with suppress(psutil.Error):
                process.send_signal(number)

    def kill(self, node: NodeHome) -> None:
        """As a power cut does it: no process of the node says farewell."""
        self.signal(node.flower, signal.SIGKILL)

    def start(self, script: Path, log: Path) -> subprocess.Popen[bytes]:
        """A start script, in the background."""
        with log.open("wb") as output:
            return subprocess.Popen(
                ["/bin/sh", str(script)], stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "FLWR_HOME": str(script.parent / "flower")},
            )  # fmt: skip


def rounds_of(run: Path) -> list[dict[str, Any]]:
    """The rounds of a run so far; none before it began."""
    return read_rounds(run) if (run / "rounds.jsonl").exists() else []
