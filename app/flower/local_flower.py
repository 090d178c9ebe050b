"""A Flower of one's own for one run: SuperLink, submission, log, and nothing left behind.

`flwr run` alone starts a SuperLink that outlives the run, keeps the environment of its first start,
and installs the app's dependencies again for every run; and it exits with 0 when the run failed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import tomli_w

from signfed.app.flower import guard
from signfed.app.flower.app_folder import app_folder
from signfed.app.flower.environment import (
    FlowerError,
    environment,
    free_port,
    program,
    short_folder,
)

START_TIMEOUT = 90.0  # seconds for the SuperLink to answer
PORTS = 5  # ports to try: one that is free may be another's when the SuperLink takes it
CONNECTION = "signfed"


class LocalFlower:
    """Run a SuperLink for simulations on a free port, in a folder of its own: a context manager.

    Everything that was started is ended on exit, however the body ends, and also when this process
    is killed. The server saves the run's state when the body is left by an exception.

    Parameters
    ----------
    log : Path, optional
        Where the run's log goes.
    ray_address : str, optional
        A Ray cluster in place of one's own.
    """

    def __init__(self, log: Path | None = None, ray_address: str | None = None) -> None:
        self._home = short_folder()
        self._environment = environment(self._home, ray_address)
        self._children: list[subprocess.Popen[bytes]] = []
        self._guard: subprocess.Popen[bytes] | None = None
        self.log = log or self._home / "run.log"

    def __enter__(self) -> LocalFlower:
        try:
            if find_spec("ray") is None:
                raise FlowerError(
                    "Flower's simulation needs Ray, which is not installed: "
                    "pip install 'signfed[simulation]', or run with --engine local"
                )
            self._guard = subprocess.Popen(
                [sys.executable, "-P", guard.__file__, str(self._home)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # what ends the command's group leaves it alone
            )
            self._start_superlink()
        except BaseException:
            self._stop(quick=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._stop(quick=kind is None)

    def submit(
        self, run_config: Mapping[str, object], federation: str, app: Path | None = None
    ) -> str:
        """Start a Flower app as a run.

        Parameters
        ----------
        run_config : mapping
            The app's run config.
        federation : str
            Flower's federation config, "num-supernodes=2 ...".
        app : Path, optional
            The app's folder; signfed's own by default.

        Returns
        -------
        str
            The run's id.

        Raises
        ------
        FlowerError
            When Flower does not take the run; with what it said.
        """
        app = app or app_folder(self._home / "app")
        config = self._home / "run-config.toml"  # on a command line not every text can be quoted
        config.write_text(tomli_w.dumps(dict(run_config)), encoding="utf-8")
        result = self._flwr(
            "run", str(app), CONNECTION, "--run-config", str(config),
            "--federation-config", federation, "--format", "json",
        )  # fmt: skip
        if not result.get("success"):
            raise FlowerError(f"Flower did not take the run: {result}")
        run_id = str(result["run-id"])
        self._start(self.log, "flwr", "log", run_id, CONNECTION, "--stream")
        return run_id

    def status(self, run_id: str) -> str:
        """Return Flower's word on the run: "pending", "finished:completed"; it takes seconds."""
        runs = self._flwr("ls", CONNECTION, "--run-id", run_id, "--format", "json").get("runs", [])
        return str(runs[0]["status"]) if runs else "unknown"

    def _start_superlink(self) -> None:
        log = self._home / "superlink.log"
        for _ in range(PORTS):
            port = free_port()
            (self._home / "config.toml").write_text(
                f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
                f'address = "127.0.0.1:{port}"\ninsecure = true\n'
            )
            superlink = self._start(
                log, "flower-superlink", "--insecure", "--simulation", "--host", "127.0.0.1",
                "--port", str(port), "--disable-runtime-dependency-installation",
            )  # fmt: skip
            deadline = time.monotonic() + START_TIMEOUT
            while superlink.poll() is None and time.monotonic() < deadline:
                if _listens(superlink.pid, port) and _answers(port):
                    return
                time.sleep(0.2)
            if superlink.poll() is None or "in use" not in _text(log):
                break
        last = next((line for line in reversed(_text(log).splitlines()) if line.strip()), "")
        raise FlowerError(f"Flower's SuperLink did not start: {_text(log)[-2000:]}\n{last}".strip())

    def _flwr(self, *arguments: str) -> dict:
        command = [program("flwr"), *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        )
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            raise FlowerError(f"flwr {arguments[0]}: {done.stdout}{done.stderr}") from None

    def _start(self, log: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            child = subprocess.Popen(
                [program(name), *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle, in order
            )
        self._children.append(child)
        return child

    def _stop(self, *, quick: bool) -> None:
        """Have the guard end everything and remove the folder."""
        if self._guard is None:
            shutil.rmtree(self._home, ignore_errors=True)
            return
        assert self._guard.stdin
        with suppress(OSError):  # a guard that somebody killed
            if quick:
                self._guard.stdin.write(guard.QUICK)
            self._guard.stdin.close()
        while self._guard.poll() is None:
            for child in self._children:
                child.poll()  # reaped, or the guard would wait for it
            time.sleep(0.05)
        if self._guard.returncode:
            guard.end(str(self._home), quick=quick)
            shutil.rmtree(self._home, ignore_errors=True)
        for child in self._children:
            child.wait()


def _listens(pid: int, port: int) -> bool:
    """Whether this very process listens there: another run's SuperLink would answer as well."""
    with suppress(psutil.Error):
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in psutil.Process(pid).net_connections()
        )
    return False


def _answers(port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/health", timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
