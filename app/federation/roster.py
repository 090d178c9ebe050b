"""The nodes of a federation: a file each, and a log of what was done to them."""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation.files import (
    append_line,
    as_text,
    now,
    private_folder,
    read_json,
    read_time,
    time_text,
)
from signfed.app.federation.settings import REMOVED, Home

FORMAT = "signfed-node-1"


class UnreadableEntry(ConfigError):
    """A node's file holds something else."""


@dataclass(frozen=True)
class Node:
    """A node that was approved.

    Attributes
    ----------
    name : str
    partition, num_partitions : int
        The workers that its key speaks for: p, p + P, ...
    key : str
        Fingerprint of its public key.
    public_key : str
        In OpenSSH's form.
    node_id : str
        The SuperLink's id of it; empty until it is registered.
    data_dir : str
    created, expires : str
    """

    name: str
    partition: int
    num_partitions: int
    key: str
    public_key: str
    node_id: str
    data_dir: str
    created: str
    expires: str

    def text(self) -> str:
        """Return what the node's file holds."""
        return as_text({"format": FORMAT, **asdict(self)})


def read_node(path: Path) -> Node:
    """Return what a node's file holds.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UnreadableEntry
        When it holds something else.
    """
    try:
        content = read_json(path, "a node's file")
        if content.pop("format") != FORMAT:
            raise ValueError
        node = Node(**content)
        read_time(node.expires)
    except ConfigError as error:
        raise UnreadableEntry(f"{error}; {_mended(path)}") from None
    except (KeyError, TypeError, ValueError):
        raise UnreadableEntry(
            f"{path}: expected a node's file of the format {FORMAT}; {_mended(path)}"
        ) from None
    return node


def _mended(path: Path) -> str:
    restore = "restore it from your backup"
    if path.parent.name == REMOVED:  # else a key that was removed could come back
        return restore
    return (
        f"{restore}, or: signfed federation remove DIR {path.stem}, and approve the device's "
        "request again"
    )


def read_roster(folder: Path) -> list[Node]:
    """Return the nodes of a roster, by partition.

    Parameters
    ----------
    folder : Path
        "nodes" in the folder of a federation.

    Raises
    ------
    ConfigError
        When there is no such folder, or a file in it cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"expected the folder `nodes` of a federation; there is no {folder}")
    nodes = [read_node(path) for path in sorted(folder.glob("*.json"))]
    return sorted(nodes, key=lambda node: node.partition)


def find(home: Home, name: str) -> Node:
    """Return the node of that name, whatever the files of others hold.

    Parameters
    ----------
    home : Home
    name : str

    Raises
    ------
    UnreadableEntry
        When its file holds something else.
    ConfigError
        When there is none of that name.
    """
    known = sorted(path.stem for path in home.roster.glob("*.json"))
    if name not in known:
        known_names = ", ".join(known) or "none"
        raise ConfigError(f"expected the name of a node ({known_names}); got {name!r}")
    return read_node(home.entry(name))


def was_removed(home: Home, key: str) -> bool:
    """Tell whether a key was a node's that has been removed; one never registered was nobody's.

    Parameters
    ----------
    home : Home
    key : str
        Its fingerprint.
    """
    nodes = map(read_node, home.removed.glob("*.json"))
    return any(node.key == key and node.node_id for node in nodes)


def removed_before(home: Home, name: str) -> Node | None:
    """Return the node of that name that was removed last; None while there is one.

    Parameters
    ----------
    home : Home
    name : str
    """
    if home.entry(name).exists():
        return None
    files = [(path.stat().st_ctime_ns, path) for path in home.removed.glob(f"{name}-*.json")]
    nodes = [read_node(path) for _, path in sorted(files)]
    return next((node for node in reversed(nodes) if node.name == name), None)


def put_away(home: Home, name: str, node: Node | None) -> None:
    """Move a node's files out of the roster; from now on its key speaks for nobody.

    Parameters
    ----------
    home : Home
    name : str
    node : Node, optional
        What its file holds; None where that cannot be read.
    """
    private_folder(home.removed)
    stem = f"{name}-{node.key[:12] if node else time_text(now()).replace(':', '')}"
    os.replace(home.entry(name), home.removed / f"{stem}.{'json' if node else 'unreadable'}")
    if home.bundle(name).exists():
        os.replace(home.bundle(name), home.removed / f"{stem}.bundle")


def audit(home: Home, act: str, **details: Any) -> None:
    """Write down what was done, when and by whom; lines are only ever appended.

    Parameters
    ----------
    home : Home
    act : str
        Such as "approve".
    **details
        What JSON can hold; nothing secret.
    """
    line = {"time": time_text(now()), "act": act, "by": _user(), **details}
    append_line(home.audit, json.dumps(line))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, in a container
        return str(os.getuid())
