"""A device that is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from signfed.app.federation import keys, scripts
from signfed.app.federation.bundle import Bundle
from signfed.app.federation.device import NodeHome
from signfed.app.federation.doctor import network
from signfed.app.federation.doctor.world import World
from signfed.app.task import Workload


@dataclass(frozen=True)
class Device:
    """A device that is looked at.

    Attributes
    ----------
    home : NodeHome
    world : World
    workload : Workload or None
        Of the runs.
    """

    home: NodeHome
    world: World = field(default_factory=World)
    workload: Workload | None = None

    @cached_property
    def bundle(self) -> Bundle | None:
        """What is installed; None where nothing can be read."""
        try:
            return self.home.installed()
        except (ValueError, OSError):
            return None

    @cached_property
    def key(self) -> keys.PrivateKey | None:
        """The device's key; None where none can be read."""
        try:
            return keys.load_key(self.home.key)
        except (ValueError, OSError):
            return None

    @cached_property
    def started(self) -> dict[str, str]:
        """What the start script hands to Flower; empty where there is none."""
        try:
            return scripts.read_node_script(self.home.script.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            return {}

    @property
    def data_dir(self) -> Path | None:
        """The folder that the start script names; None for none."""
        said = self.started.get("data-dir", "")
        return self.home.path / Path(said).expanduser() if said else None

    @cached_property
    def way(self) -> network.Way | None:
        """The way to the SuperLink; None without a bundle."""
        if self.bundle is None:
            return None
        host, _, port = self.bundle.address.rpartition(":")
        return network.Way(
            host.strip("[]"),
            int(port),
            self.bundle.ca,
            self.world,
            start="on the server: sh DIR/start-superlink.sh",
            renew="on the server: signfed federation rotate DIR",
        )
