"""A federation of real processes on this machine, for trying it out: up, status, down.

Keys, certificates and commands are those of real devices; only the addresses are loopback's.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from signfed.app.errors import ConfigError
from signfed.app.federation import device, nodes, roster, scripts, setup, superlink
from signfed.app.federation.ca import certificate_text
from signfed.app.federation.files import private_folder
from signfed.app.federation.settings import LOCAL, Home, open_home
from signfed.app.flower import guard
from signfed.app.flower.environment import free_port

NAME = "trial"
PATIENCE, LOOK = 180.0, 0.3  # seconds for processes to start


class Trial:
    """A trial and its processes, which are known by their FLWR_HOME.

    Parameters
    ----------
    path : Path
        Its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.server = Home(self.path / "server")

    def nodes(self) -> list[device.NodeHome]:
        """Return the homes of its nodes, by number."""
        paths = sorted(self.path.glob("node-*"), key=lambda path: (len(path.name), path.name))
        return [device.NodeHome(path) for path in paths if path.is_dir()]

    def flower_homes(self) -> dict[str, Path]:
        """Return process -> its FLWR_HOME; the nodes first, which have less to lose."""
        return {node.path.name: node.flower for node in self.nodes()} | {
            "server": self.server.superlink_home
        }


def up(path: Path, count: int, data_dir: Path | None = None) -> dict[str, Any]:
    """Start a SuperLink and nodes; what runs already is left alone.

    Parameters
    ----------
    path : Path
        Of the trial; made unless it is there.
    count : int
        Nodes, P. Node p hosts the workers p, p + P, ...
    data_dir : Path, optional
        Its folders 0, 1, ... are the nodes' own data, for the task `own-data`.

    Returns
    -------
    dict
        What `status` returns.

    Raises
    ------
    ConfigError
        When a process ends instead of answering; with the end of its log.
    """
    trial = Trial(path)
    private_folder(trial.path)
    home = trial.server
    if not home.settings_file.exists():
        setup.init(
            home.path, ["localhost", LOCAL], name=NAME, port=free_port(), bind=LOCAL,
            num_partitions=count,
        )  # fmt: skip
    if count != (made := home.settings.num_partitions):
        raise ConfigError(
            f"expected {made} nodes, for which {trial.path} was made; got {count}; choose another "
            "--dir for another number"
        )
    ca = certificate_text(home.ca)
    address = home.settings.local_address
    _start(home.start_script, home.superlink_home, trial.path / "server.log")
    _until(partial(_answers, address, ca), home.superlink_home, trial.path / "server.log")
    for number in range(count):
        own = data_dir.expanduser().absolute() / str(number) if data_dir else ""
        _set_up(trial, number, str(own))
    logs = {node.path.name: trial.path / f"{node.path.name}.log" for node in trial.nodes()}
    for node in trial.nodes():
        _start(node.script, node.flower, logs[node.path.name])
    for node in trial.nodes():
        name = node.path.name
        key = roster.find(home, name).key
        _until(partial(_online, address, ca, key), node.flower, logs[name])
    return status(path)


def status(path: Path) -> dict[str, Any]:
    """Return which processes run, and how to submit a run.

    Parameters
    ----------
    path : Path
        Of the trial.
    """
    trial = Trial(path)
    home = open_home(trial.server.path)
    return {
        "folder": str(trial.path),
        "address": home.settings.local_address,
        "processes": {
            name: "runs" if guard.of_home(str(flower)) else "does not run"
            for name, flower in trial.flower_homes().items()
        },
        "run": f"FLWR_HOME={home.flower_home} flwr run . {scripts.CONNECTION} --stream",
    }


def down(path: Path) -> dict[str, Any]:
    """End the processes of a trial; its files stay, for the next `up`.

    Parameters
    ----------
    path : Path
        Of the trial.

    Returns
    -------
    dict
        Whose processes were ended.
    """
    trial = Trial(path)
    open_home(trial.server.path)
    ended = []
    for name, flower in trial.flower_homes().items():
        if guard.of_home(str(flower)):
            guard.end(str(flower), quick=True)
            ended.append(name)
    return {"folder": str(trial.path), "ended": ended}


def _set_up(trial: Trial, number: int, data_dir: str) -> None:
    """Request, approve and install a node, unless that was done."""
    name = f"node-{number}"
    node = device.NodeHome(trial.path / name)
    if node.bundle.exists():
        return
    asked = trial.path / f"{name}.csr"
    device.request(asked, node.path, name)
    approved = nodes.approve(trial.server.path, asked, partition=number, data_dir=data_dir)
    device.install(Path(approved["bundle"]), approved["fingerprint"], node.path, port=free_port())


def _start(script: Path, flower_home: Path, log: Path) -> None:
    """Start a script in the background, unless what it starts runs.

    A SuperLink that was killed leaves processes behind, which would wait for it for minutes.
    """
    processes = guard.of_home(str(flower_home))
    if any(map(_leads, processes)):
        return
    if processes:
        guard.end(str(flower_home), quick=True)
    with log.open("ab") as output:
        subprocess.Popen(
            ["/bin/sh", str(script)],
            env={**os.environ, "FLWR_HOME": str(flower_home)},  # known by it from the beginning
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it outlives this command
        )


def _leads(process: psutil.Process) -> bool:
    """Whether a process is the SuperLink or a SuperNode, or the shell on its way to it."""
    with suppress(psutil.Error):
        said = " ".join(process.cmdline())
        return any(mark in said for mark in (scripts.SUPERLINK, scripts.SUPERNODE, "start-"))
    return False


def _until(true: Callable[[], bool], flower_home: Path, log: Path) -> None:
    """Wait for something to become true while the processes live."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline or not guard.of_home(str(flower_home)):
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ConfigError(f"a process did not start: {tail}")
        time.sleep(LOOK)


def _answers(address: str, ca: str) -> bool:
    try:
        superlink.registered(address, ca)
    except superlink.SuperLinkSilent:
        return False
    return True


def _online(address: str, ca: str, key: str) -> bool:
    """Whether the node with this key is connected."""
    known = superlink.registered(address, ca)
    return any(node.key == key and node.status == "online" for node in known)
