"""A federation in a folder, a device beside it; a SuperLink and a systemd that are none."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
from flwr.proto.node_pb2 import NodeInfo

from signfed.app.federation import device, nodes, setup, superlink, systemd


class Control:
    """Flower's control API, as far as a federation asks it."""

    def __init__(self) -> None:
        self.silent = False
        self.nodes: list[NodeInfo] = []
        self._ids = itertools.count(2**63 + 1)

    def ListNodes(self, request):
        return SimpleNamespace(nodes_info=list(self.nodes))

    def RegisterNode(self, request):
        assert all(node.public_key != request.public_key for node in self.nodes)  # as Flower's
        node = NodeInfo(
            node_id=next(self._ids), public_key=request.public_key, status="registered",
            name=request.name,
        )  # fmt: skip
        self.nodes.append(node)
        return SimpleNamespace(node_id=node.node_id)

    def UnregisterNode(self, request):
        (node,) = [node for node in self.nodes if node.node_id == request.node_id]
        assert node.status != "unregistered"
        node.status = "unregistered"


@pytest.fixture
def control(monkeypatch):
    control = Control()

    def ask(address, ca, question):
        if control.silent:
            raise superlink.SuperLinkSilent(f"the SuperLink at {address} does not answer")
        return question(control)

    monkeypatch.setattr(superlink, "_control", ask)
    return control


@pytest.fixture
def fed(tmp_path, control) -> Path:
    setup.init(tmp_path / "fed", ["fl.example.org", "10.0.0.7"], port=18443)
    return tmp_path / "fed"


class Site:
    """A device, from its request to its installed bundle."""

    def __init__(self, parent: Path, name: str) -> None:
        self.name, self.home, self.csr = name, parent / f"home-{name}", parent / f"{name}.csr"

    def request(self):
        return device.request(self.csr, self.home)

    def approved(self, fed: Path, **options):
        self.request()
        return nodes.approve(fed, self.csr, **options)

    def installed(self, fed: Path, **options):
        approved = self.approved(fed)
        bundle = Path(approved["bundle"])
        return device.install(bundle, approved["fingerprint"], self.home, **options)


@pytest.fixture
def site(tmp_path):
    return lambda name: Site(tmp_path, name)


class Systemctl:
    """What systemd is asked, by an ordinary user; `refuses` is the one command that fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refuses = "nothing"

    def run(self, command, **_):
        self.calls.append(" ".join(command))
        refused = self.refuses in command
        return SimpleNamespace(returncode=int(refused), stderr="no bus\n" if refused else "")


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    systemctl = Systemctl()
    monkeypatch.setattr(systemd, "present", lambda: True)
    monkeypatch.setattr(systemd.os, "geteuid", lambda: 4711)
    monkeypatch.setattr(systemd.subprocess, "run", systemctl.run)
    monkeypatch.setenv("HOME", str(tmp_path))
    return systemctl
