"""Cells as Ray tasks: on a cluster, or on shares of this machine's GPUs.

A task runs in a folder of its own machine, and the files come back with its outcome. So a cluster
needs no shared disk; it needs signfed, and the data in the same data-dir. The user's own modules
travel with the task.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError, installed
from signfed.app.experiments.manifest import surroundings
from signfed.app.experiments.work import Ended, KeptData, Outcome, Work, carry_out
from signfed.app.flower.environment import environment, short_folder
from signfed.app.runs.folder import FAILED

LOCAL = "local"
PATIENCE = 10.0  # seconds for a cluster to answer
SETTINGS = ("RAY_USAGE_STATS_ENABLED", "RAY_worker_niceness", "no_proxy", "NO_PROXY")
Files = dict[str, bytes]

_kept = KeptData()  # of a worker process of Ray's


class OnRay:
    """Ray tasks, each on one core and a share of a GPU.

    Parameters
    ----------
    address : str
        Of a cluster, "10.0.0.1:6379" or "auto"; "local" starts one here, when the first cell does.
    gpus : float
        Of each cell.

    Raises
    ------
    ConfigError
        When Ray is not installed.
    """

    def __init__(self, address: str, gpus: float) -> None:
        with installed("--address and --gpus-per-cell"):
            import ray
        self._ray: Any = ray
        self._address, self._gpus = address, gpus
        self._home: Path | None = None
        self._task: Any = None
        self._under_way: dict[Any, Work] = {}
        self.elsewhere = address != LOCAL

    @property
    def slots(self) -> int:
        self._connect()
        has = self._ray.cluster_resources()
        cores = int(has.get("CPU", 0))
        return max(1, min(cores, int(has.get("GPU", 0) / self._gpus)) if self._gpus else cores)

    def start(self, work: Work) -> None:
        self._connect()
        self._under_way[self._task.remote(work)] = work

    def wait(self) -> Ended:
        ready, _ = self._ray.wait(list(self._under_way))
        return [self._ended(reference) for reference in ready]

    def close(self) -> None:
        if self._task is not None:
            self._ray.shutdown()
            self._task = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _ended(self, reference: Any) -> tuple[Work, Outcome]:
        work = self._under_way.pop(reference)
        try:
            outcome, files = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # its process or its machine is gone
            reason = str(error).strip().splitlines()[0]
            return work, Outcome(FAILED, f"{type(error).__name__}: {reason}")
        shutil.rmtree(work.folder, ignore_errors=True)  # of an earlier attempt
        for name, content in files.items():
            file = Path(work.folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return work, outcome

    def _connect(self) -> None:
        if self._task is not None:
            return
        place: dict[str, Any] = {"address": self._address}
        if self._address == LOCAL:
            self._home = short_folder()
            place = {"address": LOCAL, "_temp_dir": str(self._home), "include_dashboard": False}
            settings = environment(self._home)
            os.environ.update({name: settings[name] for name in SETTINGS})
        try:
            check_reachable(self._address)
            self._ray.init(log_to_driver=False, logging_level="ERROR", **place)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"--address: cannot reach Ray at {self._address}: {error}") from error
        if self._gpus and self._ray.cluster_resources().get("GPU", 0) < self._gpus:
            self._ray.shutdown()
            raise ConfigError(f"--gpus-per-cell {self._gpus}: expected a GPU; Ray has none there")
        options = {"num_cpus": 1, "num_gpus": self._gpus, "max_retries": 0}
        self._task = self._ray.remote(**options)(carry_out_there)


def check_reachable(address: str) -> None:
    """Raise OSError when nobody listens at an address; Ray itself would wait for minutes.

    Parameters
    ----------
    address : str
        "10.0.0.1:6379"; any other form is left to Ray.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()


def carry_out_there(work: Work) -> tuple[Outcome, Files]:
    """Run a cell in a temporary folder, and return its files without the checkpoints.

    Parameters
    ----------
    work : Work
        Its folder is not looked at.

    Returns
    -------
    Outcome
        With what it ran on.
    dict
        Name -> content.
    """
    with tempfile.TemporaryDirectory(prefix="signfed-cell-") as temporary:
        modules = Path(temporary) / "modules"
        write_modules(modules, work.sources)
        sys.path.append(str(modules))  # last: what the machine has itself is the same file
        try:
            run = Path(temporary) / "run"
            outcome = carry_out(replace(work, folder=str(run)), _kept)
            files = {file.name: file.read_bytes() for file in run.glob("*.*")}
            return replace(outcome, ran_on=surroundings()), files
        finally:
            with suppress(ValueError):
                sys.path.remove(str(modules))


def write_modules(folder: Path, sources: Any) -> None:
    """Write modules as files, so that they can be imported from a folder.

    Parameters
    ----------
    folder : Path
        Which is made.
    sources : mapping of str to str
        Module -> source.
    """
    for module, text in sources.items():
        place = folder.joinpath(*module.split("."))
        is_package = any(other.startswith(f"{module}.") for other in sources)
        file = place / "__init__.py" if is_package else place.with_name(f"{place.name}.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
