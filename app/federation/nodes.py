"""Approve a node, remove one, renew what expires, list them all: on the server."""

from __future__ import annotations

from dataclasses import replace as with_changes
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys, superlink
from signfed.app.federation.bundle import Bundle, write_bundle
from signfed.app.federation.ca import ca_fingerprint, load_certificate
from signfed.app.federation.files import now, one_at_a_time, replace, time_text, write_once
from signfed.app.federation.request import Request, read_request
from signfed.app.federation.roster import (
    Node,
    audit,
    find,
    put_away,
    read_roster,
    removed_before,
    was_removed,
)
from signfed.app.federation.settings import Home
from signfed.app.runs.versions import versions

DAYS = 365  # for which a node is approved


def approve(
    path: Path,
    request_file: Path,
    *,
    partition: int | None = None,
    data_dir: str = "",
    days: int = DAYS,
) -> dict[str, Any]:
    """Let a device take part: register its key, bind it to a partition, write its bundle.

    The same request again gives the same bundle; an interrupted approval is completed.

    Parameters
    ----------
    path : Path
        Of the federation.
    request_file : Path
        What the device wrote.
    partition : int, optional
        The lowest that is free by default.
    data_dir : str
        Where the device has its data; empty for what the run config says.
    days : int
        For which the node takes part.

    Returns
    -------
    dict
        The bundle's place, and what the device's command needs besides.

    Raises
    ------
    ConfigError
        When the request is not in order, or name, key or partition are another node's.
    """
    home = _open(path)
    request = read_request(request_file)
    with one_at_a_time(home.path):
        node, file = _entry(home, request, partition, data_dir, days)
        write_once(file, node.text())
        ca = home.ca.read_text(encoding="ascii")
        if not node.node_id:
            key = keys.read_public(node.public_key)
            node_id = superlink.register(home.settings.local_address, ca, key, node.name)
            node = with_changes(node, node_id=node_id)
            replace(file, node.text())
        if not home.bundle(node.name).exists():
            write_once(home.bundle(node.name), _bundle(home, node, ca))
            audit(
                home, "approve", name=node.name, key=node.key, node_id=node.node_id,
                partition=node.partition, expires=node.expires,
            )  # fmt: skip
    return {
        "name": node.name,
        "partition": node.partition,
        "node_id": node.node_id,
        "key": node.key,
        "expires": node.expires,
        "bundle": str(home.bundle(node.name)),
        "fingerprint": ca_fingerprint(ca),
    }


def remove(path: Path, name: str) -> dict[str, Any]:
    """End a node's participation: at the next round it is not asked any more.

    The roster comes first, so that a run is held to it although the SuperLink is not there.

    Parameters
    ----------
    path : Path
        Of the federation.
    name : str
        Of the node.

    Raises
    ------
    ConfigError
        When there is no such node.
    SuperLinkSilent
        When the SuperLink does not answer; the roster no longer has the node all the same.
    """
    home = _open(path)
    with one_at_a_time(home.path):
        node = removed_before(home, name)
        if node is None:
            node = find(home, name)
            put_away(home, node)
            audit(home, "remove", name=name, key=node.key, node_id=node.node_id)
        if node.node_id:
            ca = home.ca.read_text(encoding="ascii")
            try:
                superlink.unregister(home.settings.local_address, ca, node.node_id)
            except superlink.SuperLinkSilent as error:
                raise superlink.SuperLinkSilent(
                    f"{name} is out of the roster; {error}, so Flower still knows its key: start "
                    "the SuperLink, and give this command again"
                ) from None
    return {"name": name, "partition": node.partition, "key": node.key, "node_id": node.node_id}


def renew(path: Path, name: str, days: int = DAYS) -> dict[str, Any]:
    """Approve a node for longer, on a running federation; nothing has to be done on the device.

    The new bundle is for a device that is set up again.

    Parameters
    ----------
    path : Path
        Of the federation.
    name : str
        Of the node.
    days : int
        From now on.

    Raises
    ------
    ConfigError
        When there is no such node.
    """
    home = _open(path)
    with one_at_a_time(home.path):
        node = find(home, name)
        if not node.node_id:
            raise ConfigError(f"expected a registered node; approve the request of {name} again")
        node = with_changes(node, expires=_until(now(), days))
        replace(home.roster / f"{name}.json", node.text())
        replace(home.bundle(name), _bundle(home, node, home.ca.read_text(encoding="ascii")))
        audit(home, "renew", name=name, key=node.key, expires=node.expires)
    return {"name": name, "expires": node.expires, "bundle": str(home.bundle(name))}


def overview(path: Path, *, ask: bool = True) -> dict[str, Any]:
    """Return the federation, its certificates and its nodes, with what the SuperLink says of each.

    Parameters
    ----------
    path : Path
    ask : bool
        Whether to ask the SuperLink; a node's status is "unknown" otherwise.
    """
    home = _open(path)
    ca = home.ca.read_text(encoding="ascii")
    status: dict[str, str] | None = None
    if ask:
        try:
            found = superlink.registered(home.settings.local_address, ca)
            status = {node.key: node.status for node in found}
        except superlink.SuperLinkSilent:
            status = None
    server = load_certificate(home.server_certificate.read_text(encoding="ascii"))
    return {
        "federation": home.settings.name,
        "address": home.settings.address,
        "fingerprint": ca_fingerprint(ca),
        "ca_expires": time_text(load_certificate(ca).not_valid_after_utc),
        "certificate_expires": time_text(server.not_valid_after_utc),
        "superlink": "unknown" if not ask else "silent" if status is None else "answers",
        "nodes": [
            {
                "name": node.name,
                "partition": node.partition,
                "node_id": node.node_id,
                "key": node.key,
                "status": "unknown" if status is None else status.get(node.key, "unregistered"),
                "expires": node.expires,
            }
            for node in read_roster(home.roster)
        ],
    }


def _open(path: Path) -> Home:
    home = Home(path.expanduser().absolute())
    assert home.settings  # read, and known to be a federation's
    return home


def _entry(
    home: Home, request: Request, partition: int | None, data_dir: str, days: int
) -> tuple[Node, Path]:
    """The node's entry in the roster, as it is or as it is going to be, and its file."""
    nodes = read_roster(home.roster)
    key = keys.fingerprint(keys.read_public(request.public_key))
    file = home.roster / f"{request.name}.json"
    for node in nodes:
        if node.name == request.name and node.key == key:
            if partition not in (None, node.partition):
                raise ConfigError(
                    f"partition: {node.name} has {node.partition} already, got {partition}; remove "
                    "the node first"
                )
            return node, file
        if node.name == request.name:
            raise ConfigError(
                f"expected a new name; another key is registered as {node.name!r}: signfed "
                "federation remove that node first, or choose another name on the device"
            )
        if node.key == key:
            raise ConfigError(f"expected a new key; this one is that of the node {node.name!r}")
    if was_removed(home, key):
        raise ConfigError(
            "expected a key that was not removed before; make a new one on the device: signfed "
            "node request with a new --home"
        )
    taken, total = {node.partition: node.name for node in nodes}, home.settings.num_partitions
    if partition is None:
        partition = next((p for p in range(total) if p not in taken), total)
    if partition in taken:
        raise ConfigError(f"partition: expected a free one; {taken[partition]!r} has {partition}")
    if not 0 <= partition < total:
        raise ConfigError(f"partition: expected 0 to {total - 1}; got {partition}")
    moment = now()
    return Node(
        request.name, partition, total, key, request.public_key, "", data_dir,
        time_text(moment), _until(moment, days),
    ), file  # fmt: skip


def _until(moment: datetime, days: int) -> str:
    return time_text(moment + timedelta(days=days))


def _bundle(home: Home, node: Node, ca: str) -> str:
    here = versions()
    bundle = Bundle(
        federation=home.settings.name,
        name=node.name,
        public_key=node.public_key,
        node_id=node.node_id,
        partition=node.partition,
        num_partitions=node.num_partitions,
        address=home.settings.address,
        ca=ca,
        data_dir=node.data_dir,
        signfed=here["signfed"],
        flwr=here["flwr"],
        created=time_text(now()),
        expires=node.expires,
    )
    return write_bundle(bundle, keys.load_key(home.ca_key))
