"""Renew a federation's authority before it ends: a new certificate of the same key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys
from signfed.app.federation.ca import ca_fingerprint, ca_public_key, load_certificate, new_ca
from signfed.app.federation.files import (
    now,
    one_at_a_time,
    private_folder,
    replace,
    time_text,
    write_once,
)
from signfed.app.federation.nodes import bundle_text
from signfed.app.federation.roster import audit, read_roster
from signfed.app.federation.settings import open_home


def renew_authority(path: Path) -> dict[str, Any]:
    """Give the authority a new certificate, and every node a bundle that holds it.

    Name and key stay, so what the authority has signed is good under the old certificate and under
    the new one: a device goes on with the old one until that ends, and installs its new bundle on
    a day of its own choosing. The SuperLink needs no restart. A key that others may have is no
    case for this: make a new federation.

    Parameters
    ----------
    path : Path
        Of the federation.

    Returns
    -------
    dict
        The new certificate's fingerprint and end, the old one's, and the bundles.

    Raises
    ------
    ConfigError
        When `ca.key` is not the key of `ca.crt`.
    """
    home = open_home(path)
    with one_at_a_time(home.path):
        before, key = home.ca.read_text(encoding="ascii"), keys.load_key(home.ca_key)
        if keys.fingerprint(key.public_key()) != keys.fingerprint(ca_public_key(before)):
            raise ConfigError(f"expected the key of {home.ca} in {home.ca_key}; it is another's")
        old = ca_fingerprint(before)
        private_folder(home.removed)
        write_once(home.removed / f"ca-{old[:12]}.crt", before)
        ca = new_ca(home.settings.name, key, now())
        replace(home.ca, ca)
        bundles = []
        for node in read_roster(home.roster):
            replace(home.bundle(node.name), bundle_text(home, node, ca))
            bundles.append(str(home.bundle(node.name)))
        end = time_text(load_certificate(ca).not_valid_after_utc)
        audit(home, "renew authority", fingerprint=ca_fingerprint(ca), expires=end)
    return {
        "fingerprint": ca_fingerprint(ca),
        "ca_expires": end,
        "devices_trust_the_old_one_until": time_text(load_certificate(before).not_valid_after_utc),
        "bundles": bundles,
    }
