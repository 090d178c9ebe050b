"""The checks of a device, in the order in which one rests on the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from signfed.app.doctor import room
from signfed.app.doctor.finding import (
    SOON,
    Finding,
    Found,
    error,
    examine,
    fine,
    warning,
)
from signfed.app.federation import keys, superlink
from signfed.app.federation.device import NodeHome
from signfed.app.federation.doctor import machine, network
from signfed.app.federation.doctor.data import data, task
from signfed.app.federation.doctor.device import Device
from signfed.app.federation.doctor.world import World
from signfed.app.federation.files import read_time
from signfed.app.task import Workload

REQUEST = "signfed node request --out NAME.csr"
INSTALL = "signfed node install BUNDLE --fingerprint F"


def folder(device: Device) -> Finding:
    """Say whether the node's folder is there, and its owner's alone."""
    path = device.home.path
    if not path.is_dir():
        return error("folder", f"there is no folder {path}", f"{REQUEST} --home {path}")
    return machine.private("folder", path) or fine("folder", str(path))


def key(device: Device) -> Finding | None:
    """Say whether the key is there, is one, is its owner's alone, and is the bundle's."""
    path = device.home.key
    if not device.home.path.is_dir():
        return None
    if not path.exists():
        return error("key", f"there is no key {path}", f"{REQUEST} --home {device.home.path}")
    if finding := machine.private("key", path):
        return finding
    if device.key is None:
        return error("key", f"{path} holds no key", f"{REQUEST} with a new --home")
    own = keys.fingerprint(device.key.public_key())
    bundle = device.bundle
    if bundle and keys.fingerprint(keys.read_public(bundle.public_key)) != own:
        return error(
            "key",
            f"the key is not the one for which {bundle.name}'s bundle was made",
            f"{INSTALL}, with the bundle that answers this device's request",
        )
    return fine("key", f"SHA-256 {own[:16]}")


def bundle(device: Device) -> Finding | None:
    """Say whether a bundle is installed, unchanged, and valid for long enough."""
    home = device.home
    if not home.path.is_dir():
        return None
    if not home.bundle.exists():
        return error("bundle", f"no bundle is installed in {home.path}", INSTALL)
    if device.bundle is None:
        return error(
            "bundle",
            f"{home.bundle} or {home.ca} was changed since it was installed",
            f"move both away; {INSTALL}",
        )
    found = device.bundle
    left = read_time(found.expires) - device.world.now()
    renew = f"on the server: signfed federation rotate DIR --node {found.name}"
    if left <= timedelta(0):
        return error("bundle", f"{found.name} was approved until {found.expires}", renew)
    if left < SOON:
        return warning("bundle", f"{found.name} is approved until {found.expires}", renew)
    return fine(
        "bundle", f"{found.name}, partition {found.partition} of {found.federation}, "
        f"until {found.expires}",
    )  # fmt: skip


def script(device: Device) -> list[Finding]:
    """Say whether the start script is there, can be started, and says what the bundle says."""
    path, found = device.home.script, device.bundle
    if found is None:
        return []
    again = f"move it away; {INSTALL}"
    if not path.exists():
        return [error("script", f"there is no start script {path}", INSTALL)]
    if not os.access(path, os.X_OK):
        return [error("script", f"{path} cannot be started", f"chmod 700 {path}")]
    partition = {
        "partition-id": str(found.partition), "num-partitions": str(found.num_partitions)
    }  # fmt: skip
    started = device.started
    if not partition.items() <= started.items():
        said = f"{started.get('partition-id')} of {started.get('num-partitions')}"
        return [
            error(
                "script",
                f"{path} starts partition {said}, approved is {found.partition} of "
                f"{found.num_partitions}: the server will refuse the node",
                again,
            )
        ]
    if started.get("--superlink") != found.address:
        return [error("script", f"{path} names another server than {found.address}", again)]
    return [fine("script", str(path))]


def process(device: Device) -> list[Finding]:
    """Say whether the node runs, or could: its own port may be another program's."""
    port = device.started.get("--port", "")
    if not port.isdigit():
        return []
    if device.world.runs(device.home.flower):
        return [fine("process", "the node runs")]
    if device.world.taken(int(port)):
        again = f"{INSTALL} --port another"
        return [error("process", f"port {port} of this device is another program's", again)]
    start = f"sh {device.home.script}, or {INSTALL} --start"
    return [warning("process", "the node does not run", start)]


def registration(device: Device) -> list[Finding]:
    """Say whether the SuperLink knows the key."""
    way, found = device.way, device.bundle
    if way is None or found is None or device.key is None or not way.answers:
        return []
    try:
        known = device.world.recognizes(found.address, found.ca, device.key, found.node_id)
    except superlink.SuperLinkSilent as silent:
        return [error("registration", str(silent), "put right what the checks above name")]
    if not known:
        return [
            error(
                "registration",
                "the SuperLink does not take this key: it was removed, or its database is new; or "
                "the clocks differ",
                "on the server: signfed federation list DIR",
            )
        ]
    return [fine("registration", f"the SuperLink knows this node as {found.node_id}")]


def versions(device: Device) -> list[Finding]:
    """Say whether the versions here are the server's when it made the bundle."""
    found = device.bundle
    theirs = {"flwr": found.flwr, "signfed": found.signfed} if found else {}
    return machine.versions(device.world, theirs)


def disk(device: Device) -> Finding:
    """Say whether there is room where the node keeps its files."""
    path = device.home.path if device.home.path.is_dir() else Path.home()
    return room.disk(device.world.free_disk(path), path)


def memory(device: Device) -> Finding:
    """Say whether there is memory enough."""
    return room.memory(device.world.free_memory())


def gradient(device: Device) -> Finding:
    """Say what time one gradient takes."""
    return machine.gradient(device.world)


def examine_device(
    home: Path, world: World | None = None, workload: Workload | None = None
) -> list[Finding]:
    """Return what all checks of a device find.

    Parameters
    ----------
    home : Path
        Of the node.
    world : World, optional
        In place of the real one.
    workload : Workload, optional
        Of the runs: their task is tried then, and own data are read as a run reads them.
    """
    device = Device(NodeHome(home), world or World(), workload)
    first: list[Callable[[Device], Found]] = [folder, key, bundle, script]
    last: list[Callable[[Device], Found]] = [
        registration, process, versions, disk, memory, data, task, gradient,
    ]  # fmt: skip
    found = examine(device, first)
    if device.way:
        way = device.way
        found += examine(way, (network.name, network.port, network.certificate, network.clock))
    return found + examine(device, last)
