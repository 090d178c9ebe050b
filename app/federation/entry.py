"""A node's entry in the roster: what a request becomes, where it may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from signfed.app.errors import ConfigError
from signfed.app.federation import keys
from signfed.app.federation.files import now, read_time, time_text
from signfed.app.federation.request import Request
from signfed.app.federation.roster import Node, read_roster, was_removed
from signfed.app.federation.settings import Home

DAYS = 365  # for which a node is approved


def until(moment: datetime, days: int) -> str:
    """Return the moment so many days later, as text.

    Parameters
    ----------
    moment : datetime
    days : int
    """
    return time_text(moment + timedelta(days=days))


def entry(
    home: Home, request: Request, partition: int | None, data_dir: str, days: int | None
) -> Node:
    """Return a node's entry, as it is or as it is going to be.

    Parameters
    ----------
    home : Home
    request : Request
        The device's.
    partition, data_dir, days
        As `nodes.approve` takes them.

    Raises
    ------
    ConfigError
        When name, key or partition are another node's, or it was approved with other options.
    """
    nodes = read_roster(home.roster)
    key = keys.fingerprint(keys.read_public(request.public_key))
    own = next((node for node in nodes if (node.name, node.key) == (request.name, key)), None)
    if own is not None and own.node_id:
        _check_same(own, partition, data_dir, days)
        return own
    others = [node for node in nodes if node is not own]
    _check_new(home, request.name, key, others)
    if own is not None:  # no SuperLink has heard of it: what is not given again stays
        partition = own.partition if partition is None else partition
        data_dir = data_dir or own.data_dir
        days = days or (read_time(own.expires) - read_time(own.created)).days
    moment = now()
    return Node(
        name=request.name,
        partition=_partition(home, others, partition),
        num_partitions=home.settings.num_partitions,
        key=key,
        public_key=request.public_key,
        node_id="",
        data_dir=_on_device(data_dir),
        created=time_text(moment),
        expires=until(moment, days or DAYS),
    )


def _check_same(node: Node, partition: int | None, data_dir: str, days: int | None) -> None:
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


def _check_new(home: Home, name: str, key: str, others: Sequence[Node]) -> None:
    for node in others:
        if node.name == name:
            raise ConfigError(
                f"expected a new name; another key is registered as {name!r}: signfed "
                "federation remove that node first, or choose another name on the device"
            )
        if node.key == key:
            raise ConfigError(f"expected a new key; this one is that of the node {node.name!r}")
    if was_removed(home, key):
        raise ConfigError(
            "expected a key that was not removed before; make a new one on the device: signfed "
            "node request with a new --home"
        )


def _partition(home: Home, others: Sequence[Node], asked: int | None) -> int:
    """The partition that was asked for, or the lowest that is free."""
    taken, total = {node.partition: node.name for node in others}, home.settings.num_partitions
    if asked is None:
        asked = next((p for p in range(total) if p not in taken), total)
    if asked in taken:
        raise ConfigError(f"partition: expected a free one; {taken[asked]!r} has {asked}")
    if not 0 <= asked < total:
        raise ConfigError(f"partition: expected 0 to {total - 1}; got {asked}")
    return asked


def _on_device(data_dir: str) -> str:
    """The folder, which no folder of the server's decides about."""
    if data_dir and not (PurePosixPath(data_dir).is_absolute() or data_dir.startswith("~")):
        raise ConfigError(
            f"data-dir: expected a folder of the device, as an absolute path; got {data_dir!r}"
        )
    return data_dir
