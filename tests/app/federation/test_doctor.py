"""Injected faults: each is named rightly, by the one check that it is the business of."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from flwr.common.constant import SYSTEM_TIME_TOLERANCE, TIMESTAMP_TOLERANCE
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.commands.data import workload_of
from signfed.app.doctor.finding import examine
from signfed.app.doctor.room import free_disk, free_memory
from signfed.app.federation import files, keys, superlink
from signfed.app.federation.ca import load_certificate, new_ca, new_server_certificate
from signfed.app.federation.doctor import network, node
from signfed.app.federation.doctor import world as worlds
from signfed.app.federation.doctor.node import examine_device
from signfed.app.federation.doctor.server import examine_server
from signfed.app.federation.doctor.world import NotTls, World
from signfed.app.runs.versions import versions
from signfed.app.task import Workload

MB = 1_000_000


@dataclass
class Case:
    """A sound federation with one device; a fault changes its files or its world."""

    fed: Path
    home: Path
    control: Any
    world: World

    def seen(self, **changes: Any) -> None:
        self.world = replace(self.world, **changes)

    def raising(self, what: str, error: Exception) -> None:
        def broken(*_):
            raise error

        self.seen(**{what: broken})

    def shows(self, pem: str) -> None:
        der = load_certificate(pem).public_bytes(Encoding.DER)
        self.seen(served_certificate=lambda host, port: der)

    def later(self, **period: float) -> None:
        moment = files.now() + timedelta(**period)
        self.seen(now=lambda: moment, server_time=lambda host, port: moment)

    def issue(self, *hosts: str, days: int = 100, begin: float = 0.0, ca: bool = True) -> str:
        key = keys.load_key(self.fed / "ca.key") if ca else keys.new_key()
        moment = files.now() + timedelta(days=begin)
        authority = (self.fed / "ca.crt").read_text() if ca else new_ca("evil", key, moment)
        return new_server_certificate(hosts, authority, key, moment, days)

    def edit(self, path: Path, **changes: Any) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    @property
    def entry(self) -> Path:
        return self.fed / "nodes" / "pi-1.json"


@pytest.fixture
def case(fed, site, control):
    one = site("pi-1")
    one.installed(fed, data_dir=str(one.home / "data"))
    (one.home / "data").mkdir()
    (one.home / "data" / "images.npz").write_text("x")
    (fed / "superlink.db").touch(0o600)
    control.nodes[0].status = "online"
    moment = files.now()  # one for both clocks, however busy the machine is
    case = Case(fed, one.home, control, World(
        now=lambda: moment,
        resolve=lambda host: ["10.0.0.7"],
        connect=lambda host, port: None,
        server_time=lambda host, port: moment,
        free_disk=lambda path: 50_000 * MB,
        free_memory=lambda: 4_000 * MB,
        gradient_seconds=lambda: 0.1,
        runs=lambda home: True,
        taken=lambda port: False,
        recognizes=lambda address, ca, key, node_id: True,
    ))  # fmt: skip
    case.shows((fed / "server.pem").read_text())
    return case


def wrong(findings):
    return [finding for finding in findings if finding.level != "ok"]


def test_nothing_is_wrong_with_what_is_sound(case):
    assert wrong(examine_device(case.home, case.world)) == []
    assert wrong(examine_server(case.fed, case.world)) == []


def another_key(case):
    (case.home / "node.key").write_text(keys.key_text(keys.new_key()))


def edit_script(old, new):
    def fault(case):
        script = case.home / "start-node.sh"
        assert old in script.read_text()
        script.write_text(script.read_text().replace(old, new))

    return fault


def shifted(seconds):
    def fault(case):
        theirs = case.world.now() - timedelta(seconds=seconds)
        case.seen(server_time=lambda host, port: theirs)

    return fault


def seen(**changes):
    return lambda case: case.seen(**changes)


def raising(what, error):
    return lambda case: case.raising(what, error)


def other_versions(**changes):
    return seen(versions=lambda: versions() | changes)


# Name -> (fault, check, level, words of the finding, words of the remedy).
ON_A_NODE = {
    "no folder": (
        lambda c: c.home.rename(c.home.with_name("moved")),
        ["folder"], "error", "there is no folder", "signfed node request",
    ),
    "folder open to others": (
        lambda c: c.home.chmod(0o755), ["folder"], "error", "mode is 0755", "chmod 700",
    ),
    "no key": (
        lambda c: (c.home / "node.key").unlink(), ["key"], "error", "no key", "node request",
    ),
    "key readable by others": (
        lambda c: (c.home / "node.key").chmod(0o644), ["key"], "error", "0644", "chmod 600",
    ),
    "key cut off": (
        lambda c: (c.home / "node.key").write_text("-----BEGIN"), ["key"], "error",
        "holds no key", "new --home",
    ),
    "key of another device": (
        another_key, ["key"], "error", "not the one for which pi-1's bundle", "node install",
    ),
    "no bundle": (
        lambda c: (c.home / "node.bundle").unlink(), ["bundle"], "error",
        "no bundle is installed", "node install",
    ),
    "bundle edited": (
        lambda c: c.edit(c.home / "node.bundle", partition=3), ["bundle"], "error",
        "was changed", "node install",
    ),
    "authority replaced": (
        lambda c: (c.home / "ca.crt").write_text(new_ca("evil", keys.new_key(), files.now())),
        ["bundle"], "error", "was changed", "node install",
    ),
    "bundle expired": (
        lambda c: c.later(days=366), ["bundle"], "error", "approved until", "--node pi-1",
    ),
    "bundle expires soon": (
        lambda c: c.later(days=340), ["bundle"], "warning", "approved until", "--node pi-1",
    ),
    "no start script": (
        lambda c: (c.home / "start-node.sh").unlink(), ["script"], "error",
        "no start script", "node install",
    ),
    "start script cannot be started": (
        lambda c: (c.home / "start-node.sh").chmod(0o600), ["script"], "error",
        "cannot be started", "chmod 700",
    ),
    "another's partition": (
        edit_script("partition-id=0", "partition-id=1"), ["script"], "error",
        "starts partition 1 of 1000, approved is 0 of 1000", "node install",
    ),
    "another server": (
        edit_script("fl.example.org", "evil.example.org"), ["script"], "error",
        "another server", "node install",
    ),
    "name not known": (
        raising("resolve", OSError("no such name")), ["name"], "error",
        "fl.example.org is not known", "getent hosts fl.example.org",
    ),
    "nothing listens": (
        raising("connect", ConnectionRefusedError()), ["port"], "error",
        "nothing listens at fl.example.org:18443", "start-superlink.sh",
    ),
    "packets dropped": (
        raising("connect", TimeoutError()), ["port"], "error", "dropped", "ufw allow 18443/tcp",
    ),
    "no route": (
        raising("connect", OSError("no route to host")), ["port"], "error", "no route", "ping",
    ),
    "another program without TLS": (
        raising("served_certificate", NotTls("wrong version")), ["port"], "error",
        "does not speak TLS", "start-superlink.sh",
    ),
    "connection broken off": (
        raising("served_certificate", ConnectionResetError("reset")), ["port"], "error",
        "broke off", "start-superlink.sh",
    ),
    "another authority's server": (
        lambda c: c.shows(c.issue("fl.example.org", ca=False)), ["certificate"], "error",
        "another authority", "--new-authority",
    ),
    "certificate expired": (
        lambda c: c.shows(c.issue("fl.example.org", days=5, begin=-10)), ["certificate"], "error",
        "it expired", "federation rotate",
    ),
    "certificate not valid yet": (
        lambda c: c.shows(c.issue("fl.example.org", begin=2)), ["certificate"], "error",
        "not yet", "set-ntp",
    ),
    "certificate for another name": (
        lambda c: c.shows(c.issue("other.example.org")), ["certificate"], "error",
        "not for fl.example.org, but for other.example.org", "--host fl.example.org",
    ),
    "certificate expires soon": (
        lambda c: c.shows(c.issue("fl.example.org", days=3)), ["certificate"], "warning",
        "it expires at", "federation rotate",
    ),
    "clock ten minutes ahead": (
        shifted(600), ["clock"], "error", "600 s ahead of the server's", "set-ntp",
    ),
    "clock ten minutes behind": (
        shifted(-600), ["clock"], "error", "600 s behind the server's", "set-ntp",
    ),
    "clock close to the limit": (
        shifted(-200), ["clock"], "warning", "200 s behind", "set-ntp",
    ),
    "no time from the server": (
        raising("server_time", ValueError()), ["clock"], "warning", "no time", "set-ntp",
    ),
    "key not registered": (
        seen(recognizes=lambda *_: False), ["registration"], "error",
        "does not take this key", "federation list",
    ),
    "superlink breaks off": (
        raising("recognizes", superlink.SuperLinkSilent("silent")), ["registration"], "error",
        "silent", "above",
    ),
    "node not started": (
        seen(runs=lambda home: False), ["process"], "warning", "does not run", "start-node.sh",
    ),
    "port of its own taken": (
        seen(runs=lambda home: False, taken=lambda port: True), ["process"], "error",
        "port 9094 of this device is another program's", "--port",
    ),
    "another Flower": (
        other_versions(flwr="1.30.0"), ["versions"], "error", "flwr 1.30.0 here", "pip install",
    ),
    "another signfed": (
        other_versions(signfed="0.0.1"), ["versions"], "warning", "signfed 0.0.1", "pip install",
    ),
    "Python too old": (
        other_versions(python="3.9.2"), ["versions"], "error", "Python 3.9.2", "venv",
    ),
    "disk full": (
        seen(free_disk=lambda path: 20 * MB), ["disk"], "error", "20 MB free", "du -xh",
    ),
    "disk nearly full": (
        seen(free_disk=lambda path: 500 * MB), ["disk"], "warning", "500 MB free", "du -xh",
    ),
    "no memory": (
        seen(free_memory=lambda: 100 * MB), ["memory"], "error", "100 MB of memory", "swap",
    ),
    "little memory": (
        seen(free_memory=lambda: 500 * MB), ["memory"], "warning", "500 MB", "swap",
    ),
    "no data folder": (
        lambda c: (c.home / "data").rename(c.home / "moved"), ["data"], "error",
        "there is no folder", "mkdir",
    ),
    "no data": (
        lambda c: (c.home / "data" / "images.npz").unlink(), ["data"], "error", "is empty", "put",
    ),
    "no PyTorch": (
        raising("gradient_seconds", ImportError("torch")), ["gradient"], "error",
        "ImportError: torch", "pip install torch",
    ),
    "a slow device": (
        seen(gradient_seconds=lambda: 60.0), ["gradient"], "warning", "60.00 s", "round-timeout",
    ),
}  # fmt: skip

ON_THE_SERVER = {
    "folder open to others": (
        lambda c: c.fed.chmod(0o750), "folder", "error", "0750", "chmod 700",
    ),
    "authority's key readable": (
        lambda c: (c.fed / "ca.key").chmod(0o640), "authority", "error", "0640", "chmod 600",
    ),
    "authority's key gone": (
        lambda c: (c.fed / "ca.key").unlink(), "authority", "error", "is gone", "backup",
    ),
    "authority's key another": (
        lambda c: (c.fed / "ca.key").write_text(keys.key_text(keys.new_key())), "authority",
        "error", "not the key of ca.crt", "backup",
    ),
    "authority in its last year": (
        lambda c: (c.fed / "ca.crt").write_text(
            new_ca("fed", keys.load_key(c.fed / "ca.key"), files.now() - timedelta(days=3300))
        ),
        "authority", "warning", "it ends at", "--authority",
    ),
    "server's certificate gone": (
        lambda c: (c.fed / "server.pem").unlink(), "server certificate", "error", "is gone",
        "federation rotate",
    ),
    "server's certificate readable": (
        lambda c: (c.fed / "server.pem").chmod(0o604), "server certificate", "error", "0604",
        "chmod 600",
    ),
    "server's certificate cut off": (
        lambda c: (c.fed / "server.pem").write_text("-----BEGIN"), "server certificate", "error",
        "no key and certificate", "federation rotate",
    ),
    "server's key another": (
        lambda c: (c.fed / "server.pem").write_text(
            c.issue("fl.example.org", "10.0.0.7").partition("-----BEGIN CERT")[0]
            + "-----BEGIN CERT" + (c.fed / "server.pem").read_text().partition("-----BEGIN CERT")[2]
        ),
        "server certificate", "error", "its key is another", "federation rotate",
    ),
    "server's certificate of another authority": (
        lambda c: (c.fed / "server.pem").write_text(
            c.issue("fl.example.org", "10.0.0.7", ca=False)
        ),
        "server certificate", "error", "of another authority", "federation rotate",
    ),
    "server's certificate without its second name": (
        lambda c: (c.fed / "server.pem").write_text(c.issue("fl.example.org")),
        "server certificate", "error", "it is not for 10.0.0.7", "--host 10.0.0.7",
    ),
    "clock before the federation": (
        lambda c: c.later(days=-30), "clock", "error", "before the federation", "set-ntp",
    ),
    "name not known": (
        raising("resolve", OSError("no such name")), "name", "warning",
        "fl.example.org is not known", "getent",
    ),
    "superlink down": (
        raising("served_certificate", ConnectionRefusedError()), "port", "error",
        "does not run", "systemctl --user start signfed-superlink.service",
    ),
    "port another program's": (
        raising("served_certificate", NotTls()), "port", "error", "another program's", "ss -ltnp",
    ),
    "port another federation's": (
        lambda c: c.shows(c.issue("fl.example.org", ca=False)), "port", "error",
        "another federation's", "ss -ltnp",
    ),
    "certificate not taken": (
        lambda c: c.shows(c.issue("fl.example.org")), "port", "warning", "older certificate",
        "federation rotate",
    ),
    "no database": (
        lambda c: (c.fed / "superlink.db").unlink(), "database", "warning", "none yet",
        "start-superlink.sh",
    ),
    "database readable": (
        lambda c: (c.fed / "superlink.db").chmod(0o644), "database", "error", "0644", "chmod 600",
    ),
    "partition twice": (
        lambda c: (c.fed / "nodes" / "pi-2.json").write_text(
            c.entry.read_text().replace('"pi-1"', '"pi-2"')
        ),
        "roster", "error", "partition 0 has pi-1, pi-2", "federation remove",
    ),
    "node expired": (
        lambda c: c.edit(c.entry, expires="2020-01-01T00:00:00Z"), "roster", "error",
        "pi-1 expired", "--node pi-1",
    ),
    "node expires soon": (
        lambda c: c.edit(c.entry, expires=files.time_text(files.now() + timedelta(days=3))),
        "roster", "warning", "pi-1 expires", "--node pi-1",
    ),
    "approval interrupted": (
        lambda c: c.edit(c.entry, node_id=""), "roster", "error", "interrupted",
        "--node pi-1",
    ),
    "node unregistered by hand": (
        lambda c: setattr(c.control.nodes[0], "status", "unregistered"), "registration", "error",
        "pi-1 was unregistered by hand", "federation remove",
    ),
    "database new": (
        lambda c: c.control.nodes.clear(), "registration", "error", "does not know pi-1",
        "--node pi-1",
    ),
    "registered by hand": (
        lambda c: c.control.RegisterNode(type("R", (), {"public_key": b"", "name": "x"})),
        "registration", "warning", "the roster does not", "supernode unregister",
    ),
    "node id another": (
        lambda c: c.edit(c.entry, node_id="7"), "registration", "warning", "7 in the roster",
        "--node pi-1",
    ),
    "disk full": (
        seen(free_disk=lambda path: 20 * MB), "disk", "error", "20 MB free", "du -xh",
    ),
    "no memory": (
        seen(free_memory=lambda: 100 * MB), "memory", "error", "100 MB", "swap",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_A_NODE)
def test_a_fault_of_a_node(case, name):
    fault, checks, level, found, remedy = ON_A_NODE[name]
    fault(case)
    findings = wrong(examine_device(case.home, case.world))
    assert [f.check for f in findings] == checks, findings
    assert findings[0].level == level
    assert found in findings[0].found and remedy in findings[0].remedy, findings


@pytest.mark.parametrize("name", ON_THE_SERVER)
def test_a_fault_of_the_server(case, name):
    fault, check, level, found, remedy = ON_THE_SERVER[name]
    fault(case)
    findings = wrong(examine_server(case.fed, case.world))
    assert {f.check for f in findings if f.level == level} == {check}, findings
    first = next(f for f in findings if f.check == check)
    assert first.level == level
    assert found in first.found and remedy in first.remedy, findings


def test_the_limits_of_a_clock_are_flowers():
    limits = SYSTEM_TIME_TOLERANCE, TIMESTAMP_TOLERANCE + SYSTEM_TIME_TOLERANCE
    assert limits == (network.AHEAD, network.BEHIND)


@pytest.mark.parametrize("ahead, level", [
    (2, "ok"), (4, "warning"), (6, "error"),
    (-140, "ok"), (-160, "warning"), (-304, "warning"), (-306, "error"),
])  # fmt: skip
def test_a_clock_may_differ_by_as_much_as_flower_allows(case, ahead, level):
    shifted(ahead)(case)
    (clock,) = [f for f in examine_device(case.home, case.world) if f.check == "clock"]
    assert clock.level == level


def test_a_broken_roster_is_named(case, site):
    """Nobody is told to unregister the nodes whose files are sound."""
    site("pi-2").approved(case.fed)
    case.entry.write_text("{")
    (finding,) = wrong(examine_server(case.fed, case.world))
    assert finding.check == "roster" and "pi-1.json holds no JSON" in finding.found
    assert f"signfed federation remove {case.fed} NAME" in finding.remedy


@pytest.mark.parametrize("folder, name, doctor, check, remedy", [
    ("home", "ca.crt", examine_device, "bundle", "node install"),
    ("home", "start-node.sh", examine_device, "script", "node install"),
    ("fed", "ca.crt", examine_server, "authority", "from your backup"),
    ("fed", "server.pem", examine_server, "server certificate", "federation rotate"),
])  # fmt: skip
def test_a_file_with_damaged_bytes_is_named(case, folder, name, doctor, check, remedy):
    where = getattr(case, folder)
    (where / name).write_bytes(b"\xff\xfe" + (where / name).read_bytes()[:50])
    finding = wrong(doctor(where, case.world))[0]
    assert finding.check == check and str(where / name) in finding.found
    assert remedy in finding.remedy


def test_what_a_check_cannot_read_is_a_finding_whatever_is_said():
    def script(subject):
        return b"\xff".decode("ascii")

    (finding,) = examine(None, [script])
    assert finding.level == "error" and "can't decode" in finding.found


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_data_that_cannot_be_read(case):
    (case.home / "data").chmod(0o000)
    (finding,) = wrong(examine_device(case.home, case.world))
    assert finding.check == "data" and "cannot be read" in finding.found


def asked(config: str) -> Workload:
    return workload_of([config])


def test_data_are_read_as_a_run_reads_them_where_its_schema_is_given(case, monkeypatch):
    folder = case.home / "data"
    arrays = asked("own-data.kind='arrays' own-data.shape='2' own-data.classes='3'")
    (finding,) = wrong(examine_device(case.home, case.world, arrays))
    assert finding.check == "data" and "expected arrays x and y" in finding.found
    assert finding.remedy.startswith(f"signfed data --dir {folder}")
    np.savez(folder / "images.npz", x=np.ones((5, 2)), y=np.zeros(5, int))
    found = examine_device(case.home, case.world, arrays)
    assert [f.found for f in found if f.check == "data"] == [f"{folder}, 5 samples"]
    table = asked("own-data.kind='table' own-data.shape='2' own-data.classes='3'")
    (finding,) = wrong(examine_device(case.home, case.world, table))
    assert finding.check == "data" and "expected a .csv or .parquet file" in finding.found
    given: list[Workload] = []
    monkeypatch.setattr(node, "examine_device", lambda home, workload: given.append(workload) or [])
    said = "own-data.kind='table' own-data.shape='2' own-data.classes='3'"
    CliRunner().invoke(app, ["node", "doctor", "--home", str(case.home), "-c", said])
    assert given == [table]


@pytest.mark.parametrize("config, lacks, check, extra", [
    ("task='mnist'", "torchvision", "task", "simulation"),
    ("own-data.kind='images'", "PIL", "data", "images"),
])  # fmt: skip
def test_a_package_that_the_runs_task_needs_is_named(
    case, monkeypatch, config, lacks, check, extra
):
    workload = asked(config)
    monkeypatch.setitem(sys.modules, lacks, None)
    (finding,) = wrong(examine_device(case.home, case.world, workload))
    assert finding.check == check and f"needs the package {lacks}" in finding.found
    assert finding.remedy == f"pip install 'signfed[{extra}]'"


def test_the_runs_task_is_loaded_as_a_run_loads_it(case):
    (finding,) = wrong(examine_device(case.home, case.world, asked("task='ag-news'")))
    assert finding.check == "task" and str(case.home / "data") in finding.found
    assert wrong(examine_device(case.home, case.world, asked("task='quadratic'"))) == []


def test_the_real_world_is_looked_at(tmp_path):
    """Each probe by itself, on this machine."""
    assert worlds.resolve("localhost")
    with pytest.raises(OSError):
        worlds.resolve("no-such-host.invalid")
    assert free_disk(tmp_path) > 0 and free_memory() > 0
    assert worlds.gradient_seconds() > 0


def test_the_page_counts_the_faults():
    page = (Path(__file__).parents[3] / "docs" / "deployment.md").read_text(encoding="utf-8")
    node, server = len(ON_A_NODE), len(ON_THE_SERVER)
    assert f"{node + server} faults ({node} on a node, {server} on the server)" in page
