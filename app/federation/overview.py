"""A federation, its certificates and its nodes, at one look."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from signfed.app.federation import superlink
from signfed.app.federation.ca import ca_fingerprint, certificate_text, load_certificate
from signfed.app.federation.files import time_text
from signfed.app.federation.roster import read_roster
from signfed.app.federation.settings import open_home


def overview(path: Path) -> dict[str, Any]:
    """Return the federation, its certificates and its nodes, with what the SuperLink says of each.

    Parameters
    ----------
    path : Path
        Of the federation. A node's status is "unknown" where the SuperLink does not answer.
    """
    home = open_home(path)
    ca = certificate_text(home.ca)
    status: dict[str, str] | None = None
    with suppress(superlink.SuperLinkSilent):
        found = superlink.registered(home.settings.local_address, ca)
        status = {node.key: node.status for node in found}
    server = load_certificate(certificate_text(home.server_certificate))
    return {
        "federation": home.settings.name,
        "address": home.settings.address,
        "fingerprint": ca_fingerprint(ca),
        "ca_expires": time_text(load_certificate(ca).not_valid_after_utc),
        "certificate_expires": time_text(server.not_valid_after_utc),
        "superlink": "silent" if status is None else "answers",
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
