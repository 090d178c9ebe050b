"""A federation that is looked at, on its server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from signfed.app.federation import superlink
from signfed.app.federation.doctor.world import World
from signfed.app.federation.files import read_time
from signfed.app.federation.roster import Node, read_roster
from signfed.app.federation.settings import Home

TOLERANCE = timedelta(minutes=10)


@dataclass(frozen=True)
class Server:
    """A federation that is looked at.

    Attributes
    ----------
    home : Home
    world : World
    """

    home: Home
    world: World = field(default_factory=World)

    @property
    def rotate(self) -> str:
        return f"signfed federation rotate {self.home.path}"

    @property
    def start(self) -> str:
        return f"sh {self.home.start_script}, or systemctl --user start {self.home.unit.name}"

    @property
    def clock_is_right(self) -> bool:
        """Whether this clock is after the federation's beginning, which it cannot be before."""
        began = read_time(self.home.settings.created)
        return self.world.now() >= began - TOLERANCE

    @cached_property
    def nodes(self) -> list[Node] | None:
        """The roster; None where it cannot be read."""
        try:
            return read_roster(self.home.roster)
        except (ValueError, OSError):
            return None

    @cached_property
    def ca(self) -> str:
        return self.home.ca.read_text(encoding="ascii", errors="replace")

    @cached_property
    def known(self) -> dict[str, superlink.Registered] | None:
        """What the SuperLink knows, by key; None where it does not answer."""
        try:
            found = self.world.registered(self.home.settings.local_address, self.ca)
        except ValueError:
            return None
        return {node.key: node for node in found}
