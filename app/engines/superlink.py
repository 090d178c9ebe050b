"""A Flower of one's own for one run: SuperLink, submission, log, and nothing left behind.

`flwr run` alone starts a SuperLink that outlives the run, keeps the environment of its first start,
and installs the app's dependencies again for every run; and it exits with 0 when the run failed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

import signfed
from signfed.app.config.keys import as_toml

START_TIMEOUT = 90.0  # seconds for the SuperLink to answer
STOP_TIMEOUT = 5.0  # seconds for its processes to end before they are killed
CONNECTION = "signfed"
# What Flower asks of an app's pyproject.toml, before the run-config keys.
APP = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "signfed"
version = "0"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "signfed"

[tool.flwr.app.components]
serverapp = "signfed.app.server_app:app"
clientapp = "signfed.app.client_app:app"

"""


class FlowerError(RuntimeError):
    """Flower itself did not start or did not take the run; the text holds what it printed."""


class LocalFlower:
    """Context manager: a SuperLink for simulations on a free loopback port, in a folder of its own.

    Everything that was started is ended on exit, however the body ends. `log` is the run's log.
    """

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="signfed-flower-")
        self._bin = Path(sys.executable).parent
        self._children: list[subprocess.Popen[bytes]] = []
        self.log = Path(self._home.name) / "run.log"

    def __enter__(self) -> LocalFlower:
        port = _free_port()
        home = Path(self._home.name)
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
            f'address = "127.0.0.1:{port}"\ninsecure = true\n'
        )
        log = home / "superlink.log"
        superlink = self._start(
            log, "flower-superlink", "--insecure", "--simulation", "--host", "127.0.0.1",
            "--port", str(port), "--disable-runtime-dependency-installation",
        )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT
        while not _answers(port):
            if superlink.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise FlowerError(f"Flower's SuperLink did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        self._home.cleanup()

    def submit(
        self, run_config: Mapping[str, object], federation: str, app: Path | None = None
    ) -> str:
        """Start a Flower app, signfed's own unless told, as a run; returns the run's id."""
        app = app or _app_folder(Path(self._home.name) / "app")
        config = " ".join(f"{key}={_toml(value)}" for key, value in run_config.items())
        result = self._flwr(
            "run", str(app), CONNECTION, "--run-config", config,
            "--federation-config", federation, "--format", "json",
        )  # fmt: skip
        if not result.get("success"):
            raise FlowerError(f"Flower did not take the run: {result}")
        run_id = str(result["run-id"])
        self._start(self.log, "flwr", "log", run_id, CONNECTION, "--stream")
        return run_id

    def status(self, run_id: str) -> str:
        """Flower's word on the run: "pending", "running", "finished:completed", … Takes seconds."""
        runs = self._flwr("ls", CONNECTION, "--run-id", run_id, "--format", "json").get("runs", [])
        return str(runs[0]["status"]) if runs else "unknown"

    def _flwr(self, *arguments: str) -> dict:
        command = [str(self._bin / "flwr"), *arguments]
        done = subprocess.run(command, env=self._env(), capture_output=True, text=True, check=False)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            raise FlowerError(f"flwr {arguments[0]}: {done.stdout}{done.stderr}") from None

    def _start(self, log: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            child = subprocess.Popen(
                [str(self._bin / program), *arguments],
                env=self._env(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle, in order
            )
        self._children.append(child)
        return child

    def _env(self) -> dict[str, str]:
        quiet = {
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_TELEMETRY_ENABLED": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        path = os.pathsep.join([str(self._bin), os.environ.get("PATH", "")])
        modules = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
        own = {"FLWR_HOME": self._home.name, "PATH": path, "PYTHONPATH": modules}
        return quiet | dict(os.environ) | own

    def _stop(self) -> None:
        """End all children and theirs, Ray's included; kill what does not go."""
        tree: list[psutil.Process] = []
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(child.pid)
                tree += [process, *process.children(recursive=True)]
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(tree, timeout=STOP_TIMEOUT)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for child in self._children:
            child.wait()


def _app_folder(scratch: Path) -> Path:
    """The folder that `flwr run` takes: the checkout, or a copy of what pip installed."""
    root = Path(signfed.__file__).resolve().parent
    if not (root / "app").is_dir():
        return root.parent
    shutil.copytree(root, scratch / "signfed", ignore=shutil.ignore_patterns("__pycache__"))
    (scratch / "pyproject.toml").write_text(APP + as_toml(), encoding="utf-8")
    return scratch


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _toml(value: object) -> str:
    return json.dumps(value)  # bool, numbers and strings are written alike in TOML
