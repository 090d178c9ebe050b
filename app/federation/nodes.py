"""Approve a node, or remove one: on the server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

from signfed.app.federation import keys, superlink
from signfed.app.federation.bundle import Bundle, write_bundle
from signfed.app.federation.ca import ca_fingerprint, certificate_text
from signfed.app.federation.entry import entry
from signfed.app.federation.files import now, one_at_a_time, replace, time_text, write_once
from signfed.app.federation.request import read_request
from signfed.app.federation.roster import (
    Node,
    UnreadableEntry,
    audit,
    find,
    put_away,
    removed_before,
)
from signfed.app.federation.settings import Home, open_home
from signfed.app.runs.versions import versions


def approve(
    path: Path,
    request_file: Path,
    *,
    partition: int | None = None,
    data_dir: str = "",
    days: int | None = None,
) -> dict[str, Any]:
    """Let a device take part: register its key, bind it to a partition, write its bundle.

    The same request again gives the same bundle; an interrupted approval is completed, with other
    options where they are given.

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
    SuperLinkSilent
        When the SuperLink does not answer.
    """
    home = open_home(path)
    request = read_request(request_file)
    with one_at_a_time(home.path):
        ca = certificate_text(home.ca)
        node, file = entry(home, request, partition, data_dir, days), home.entry(request.name)
        if not node.node_id:
            replace(file, node.text())
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
            with suppress(UnreadableEntry):  # of which nobody knows whose it was: out all the same
                node = find(home, name)
            put_away(home, name, node)
            audit(home, "remove", **_shown(name, node))
        if node and node.node_id:
            ca = certificate_text(home.ca)
            try:
                superlink.unregister(home.settings.local_address, ca, node.node_id)
            except superlink.SuperLinkSilent as error:
                raise superlink.SuperLinkSilent(
                    f"{name} is out of the roster; {error}, so Flower still knows its key: start "
                    "the SuperLink, and give this command again"
                ) from None
    return _shown(name, node)


def _shown(name: str, node: Node | None) -> dict[str, Any]:
    """Who was removed, as far as it can be read."""
    return {
        "name": name,
        "partition": node.partition if node else None,
        "key": node.key if node else "",
        "node_id": node.node_id if node else "",
    }


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
