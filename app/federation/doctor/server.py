"""The checks of a federation on its server, in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from signfed.app.doctor import room
from signfed.app.doctor.finding import Finding, Found, error, examine, fine, warning
from signfed.app.federation.doctor import machine, network
from signfed.app.federation.doctor.certificates import authority, port, server_certificate
from signfed.app.federation.doctor.federation import Server
from signfed.app.federation.doctor.members import registration, roster
from signfed.app.federation.doctor.world import World
from signfed.app.federation.settings import open_home


def folder(server: Server) -> list[Finding]:
    """Say whether nobody else enters the folder or reads what is secret."""
    home = server.home
    found = [
        finding
        for path in (home.path, home.roster)
        if path.exists() and (finding := machine.private("folder", path))
    ]
    return found or [fine("folder", str(home.path))]


def clock(server: Server) -> Finding:
    """Say whether the clock is after the federation's own beginning."""
    moment = server.world.now()
    if not server.clock_is_right:
        return error(
            "clock", f"this clock shows {moment:%Y-%m-%d}, before the federation was made",
            network.SET_CLOCK,
        )  # fmt: skip
    return fine("clock", f"{moment:%Y-%m-%d %H:%M} UTC")


def name(server: Server) -> list[Finding]:
    """Say whether the names under which nodes know the server are known here."""
    found = []
    for host in server.home.settings.hosts:
        try:
            server.world.resolve(host)
        except OSError:
            found.append(
                warning("name", f"the name {host} is not known here", f"getent hosts {host}")
            )
    return found or [fine("name", ", ".join(server.home.settings.hosts))]


def database(server: Server) -> Finding:
    """Say whether the SuperLink's memory lies on the disk and is its owner's alone."""
    path = server.home.database
    if not path.exists():
        return warning("database", "there is none yet; the first start makes it", server.start)
    return machine.private("database", path) or fine("database", str(path))


def versions(server: Server) -> list[Finding]:
    """Say which versions are here, and whether they do."""
    return machine.versions(server.world, {})


def disk(server: Server) -> Finding:
    """Say whether there is room where the federation keeps its files."""
    return room.disk(server.world.free_disk(server.home.path), server.home.path)


def memory(server: Server) -> Finding:
    """Say whether there is memory enough."""
    return room.memory(server.world.free_memory())


CHECKS: tuple[Callable[[Server], Found], ...] = (
    folder, authority, server_certificate, clock, name, port, database, roster, registration,
    versions, disk, memory,
)  # fmt: skip


def examine_server(path: Path, world: World | None = None) -> list[Finding]:
    """Return what all checks of a federation on its server find.

    Parameters
    ----------
    path : Path
        Of the federation.
    world : World, optional
        In place of the real one.

    Raises
    ------
    ConfigError
        When there is no federation.
    """
    return examine(Server(open_home(path), world or World()), CHECKS)
