"""Which of the connected nodes may speak, and for which partition, by their registered keys.

A node says itself which partition it is. Here it is held to what was approved for its key: the
SuperLink knows the key of each node, since it checks a signature with it on every request, and
tells it to the ServerApp.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from logging import getLogger
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys, superlink
from signfed.app.federation.files import now, read_time
from signfed.app.federation.roster import Node, read_roster

log = getLogger("signfed")
VARIABLE = "SIGNFED_ROSTER"  # which the start script of a federation's SuperLink sets


def roster_folder(given: str) -> Path | None:
    """Return the folder of the roster that a run is held to; None for none.

    Parameters
    ----------
    given : str
        The run-config key `roster`; where it is empty, the SuperLink's environment decides.
    """
    named = given or os.environ.get(VARIABLE, "")
    return Path(named).expanduser() if named else None


def admission(grid: Any, roster: str = "") -> Admission | None:
    """Return what says which of the connected nodes take part in a run; None where all do.

    Parameters
    ----------
    grid : Grid
        Of the run. Simulated nodes have no keys.
    roster : str
        Folder of the roster; where it is empty, the SuperLink's environment decides, and binds
        real nodes alone.

    Raises
    ------
    ConfigError
        When the roster cannot be read, or one is named for a simulation.
    """
    folder = roster_folder(roster)
    if folder is None:
        return None
    if superlink.knows_keys(grid):
        return Admission(folder)
    if roster:
        raise ConfigError("roster: expected none for a simulation, whose nodes have no keys")
    return None


class Admission:
    """Say which connected nodes take part, and as which partition.

    The roster is read anew when it has changed, so that a node which is approved, removed or
    expired during a run joins or leaves it at the next round.

    Parameters
    ----------
    folder : Path
        "nodes" in the folder of a federation.

    Raises
    ------
    ConfigError
        When the roster cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: object = None
        self._by_key: dict[str, Node] = {}
        self._refused: set[int] = set()
        self._read()

    def __call__(self, grid: Any) -> Mapping[int, tuple[int, int]]:
        """Return node -> (partition, number of partitions) of those that take part.

        Parameters
        ----------
        grid : HttpGrid
            Its `get_nodes` tells the key of each connected node.
        """
        self._read()
        moment, admitted = now(), {}
        for info in grid.get_nodes():
            node = self._by_key.get(keys.fingerprint_of_pem(bytes(info.public_key)))
            if node and moment < read_time(node.expires):
                admitted[info.node_id] = (node.partition, node.num_partitions)
            elif info.node_id not in self._refused:
                self._refused.add(info.node_id)
                why = f"{node.name} expired at {node.expires}" if node else "its key is not in it"
                log.warning(
                    "node %d takes no part: the roster %s: %s", info.node_id, self._folder, why
                )
        return admitted

    def _read(self) -> None:
        """Read the roster where it changed; keep the last one while it cannot be read."""
        try:
            files = sorted(self._folder.glob("*.json"))
            seen = [(f.name, (s := f.stat()).st_mtime_ns, s.st_ino) for f in files]
            if seen == self._seen:
                return
            self._by_key = {node.key: node for node in read_roster(self._folder)}
            self._seen = seen
        except (ConfigError, OSError) as error:
            if self._seen is None:
                raise ConfigError(f"roster: {error}") from None
            log.warning("roster: %s; the one before stays in force", error)
