"""Approve a node, or remove one: on the server."""

from __future__ import annotations

from dataclasses import replace as with_changes
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys, superlink
from signfed.app.federation.bundle import Bundle, write_bundle
from signfed.app.federation.ca import ca_fingerprint, certificate_text
from signfed.app.federation.files import (
    now,
    one_at_a_time,
    read_time,
    replace,
    time_text,
    write_once,
)
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
from signfed.app.federation.settings import Home, open_home
from signfed.app.runs.versions import versions

DAYS = 365  # for which a node is approved


def approve(
    path: Path,
    request_file: Path,
    *,
    partition: int | None = None,
    data_dir: str = "",
    days: int | None = None,
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
    days : int, optional
        For which the node takes part; 365 by default.

    Returns
    -------
    dict
        The bundle's place, and what the device's command needs besides.

    Raises
    ------
    ConfigError
        When the request is not in order, or name, key or partition are another node's.
    """
    home = open_home(path)
    request = read_request(request_file)
    with one_at_a_time(home.path):
        ca = certificate_text(home.ca)
        node, file = _entry(home, request, partition, data_dir, days)
        write_once(file, node.text())
        if not node.node_id:
            key = keys.read_public(node.public_key)
            node_id = superlink.register(home.settings.local_address, ca, key, node.name)
            node = with_changes(node, node_id=node_id)
            replace(file, node.text())
        if not home.bundle(node.name).exists():
            write_once(home.bundle(node.name), bundle_text(home, node, ca))
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

    Returns
    -------
    dict
        Who was removed.

    Raises
    ------
    ConfigError
        When there is no such node.
    SuperLinkSilent
        When the SuperLink does not answer; the roster no longer has the node all the same.
    """
    home = open_home(path)
    with one_at_a_time(home.path):
        node = removed_before(home, name)
        if node is None:
            node = find(home, name)
            put_away(home, node)
            audit(home, "remove", name=name, key=node.key, node_id=node.node_id)
        if node.node_id:
            ca = certificate_text(home.ca)
            try:
                superlink.unregister(home.settings.local_address, ca, node.node_id)
            except superlink.SuperLinkSilent as error:
                raise superlink.SuperLinkSilent(
                    f"{name} is out of the roster; {error}, so Flower still knows its key: start "
                    "the SuperLink, and give this command again"
                ) from None
    return {"name": name, "partition": node.partition, "key": node.key, "node_id": node.node_id}


def _entry(
    home: Home, request: Request, partition: int | None, data_dir: str, days: int | None
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
            if data_dir not in ("", node.data_dir):
                raise ConfigError(
                    f"data-dir: {node.name} was approved with {node.data_dir!r}, got {data_dir!r}; "
                    "on the device: signfed node install BUNDLE --data-dir DIR"
                )
            if days and node.expires != until(read_time(node.created), days):
                raise ConfigError(
                    f"days: {node.name} is approved until {node.expires}; for longer: signfed "
                    f"federation rotate DIR --node {node.name} --days {days}"
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
        time_text(moment), until(moment, days or DAYS),
    ), file  # fmt: skip


def until(moment: datetime, days: int) -> str:
    """Return the moment so many days later, as text.

    Parameters
    ----------
    moment : datetime
    days : int
    """
    return time_text(moment + timedelta(days=days))


def bundle_text(home: Home, node: Node, ca: str) -> str:
    """Return a node's bundle, signed now.

    Parameters
    ----------
    home : Home
    node : Node
    ca : str
        The authority's certificate, PEM.
    """
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
