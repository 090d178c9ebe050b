"""Checks of a federation's nodes: the roster by itself, and beside what the SuperLink knows."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from signfed.app.doctor.finding import SOON, Finding, error, fine, warning
from signfed.app.errors import ConfigError
from signfed.app.federation import scripts
from signfed.app.federation.doctor.federation import Server
from signfed.app.federation.files import read_time
from signfed.app.federation.roster import read_roster


def roster(server: Server) -> list[Finding]:
    """Say whether each node's file can be read, no partition is there twice, nobody expired."""
    found = []
    try:
        nodes = read_roster(server.home.roster)
    except (ConfigError, OSError) as problem:
        restore = f"restore {server.home.roster} from your backup"
        remove = f"signfed federation remove {server.home.path} NAME"
        return [error("roster", str(problem), f"{restore}, or {remove}")]
    moment, taken = server.world.now(), Counter(node.partition for node in nodes)
    for partition, count in taken.items():
        if count > 1:
            names = ", ".join(n.name for n in nodes if n.partition == partition)
            found.append(
                error("roster", f"partition {partition} has {names}",
                      f"signfed federation remove {server.home.path} NAME")
            )  # fmt: skip
    for node in nodes:
        left, renew = read_time(node.expires) - moment, f"{server.rotate} --node {node.name}"
        if left <= timedelta(0):
            found.append(error("roster", f"{node.name} expired at {node.expires}", renew))
        elif left < SOON:
            found.append(warning("roster", f"{node.name} expires at {node.expires}", renew))
        if not node.node_id:
            found.append(
                error("roster", f"the approval of {node.name} was interrupted",
                      renew)
            )  # fmt: skip
    return found or [fine("roster", f"{len(nodes)} nodes")]


def registration(server: Server) -> list[Finding]:
    """Say whether the roster is what the SuperLink has registered."""
    nodes = server.nodes
    if server.known is None or nodes is None:
        return []
    home, found = server.home, []
    for node in nodes:
        known = server.known.get(node.key)
        renew = f"{server.rotate} --node {node.name}"
        if known is None:
            found.append(
                error(
                    "registration",
                    f"the SuperLink does not know {node.name}: its database is new",
                    renew,
                )
            )
        elif known.status == "unregistered":
            found.append(
                error(
                    "registration",
                    f"{node.name} was unregistered by hand, and Flower takes no key twice",
                    f"signfed federation remove {home.path} {node.name}; approve a new request",
                )
            )
        elif node.node_id and known.node_id != node.node_id:
            found.append(
                warning(
                    "registration",
                    f"{node.name}: {known.node_id} to the SuperLink, {node.node_id} in the roster",
                    renew,
                )
            )
    keys_here = {node.key for node in nodes}
    for key, known in server.known.items():
        if key not in keys_here and known.status != "unregistered":
            found.append(
                warning(
                    "registration",
                    f"the SuperLink knows the node {known.node_id}, the roster does not: it takes "
                    "no part",
                    f"FLWR_HOME={home.flower_home} flwr supernode unregister {known.node_id} "
                    f"{scripts.CONNECTION}",
                )
            )
    online = sum(node.status == "online" for node in server.known.values())
    return found or [fine("registration", f"{len(nodes)} nodes, {online} online")]
