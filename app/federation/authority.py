"""A federation's authority anew: before it ends, with its key; after its key leaked, without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys
from signfed.app.federation.ca import (
    ca_fingerprint,
    ca_public_key,
    certificate_text,
    load_certificate,
    new_ca,
    new_server_certificate,
)
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
from signfed.app.federation.settings import Home, open_home


def renew_authority(path: Path) -> dict[str, Any]:
    """Give the authority a new certificate, and every node a bundle that holds it.

    Name and key stay, so what the authority has signed is good under the old certificate and under
    the new one: a device goes on with the old one until that ends, and installs its new bundle on
    a day of its own choosing. The SuperLink needs no restart. A key that others may have is no
    case for this: `replace_authority`.

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
        before, key = certificate_text(home.ca), keys.load_key(home.ca_key)
        if keys.fingerprint(key.public_key()) != keys.fingerprint(ca_public_key(before)):
            raise ConfigError(f"expected the key of {home.ca} in {home.ca_key}; it is another's")
        ca = _certified(home, key)
        made = _told(home, ca, "renew authority")
    end = time_text(load_certificate(before).not_valid_after_utc)
    return made | {"devices_trust_the_old_one_until": end}


def replace_authority(path: Path) -> dict[str, Any]:
    """Make another authority, with another key, since others may have the one that is there.

    Whoever has the key can pass for the server to each device that trusts its certificate, and a
    device carries out what its server sends. So nothing of the old authority is kept in use: key,
    certificate, the server's certificate and all bundles are made anew. The devices' keys, their
    registration and the roster stay. The SuperLink has to be started again, and every device has
    to install its new bundle, with the new fingerprint; until then it trusts whoever has the old
    key. Given again after it was interrupted, it makes everything anew.

    Parameters
    ----------
    path : Path
        Of the federation.

    Returns
    -------
    dict
        The new authority's fingerprint and end, the revoked one's, the bundles, and what to do.
    """
    home = open_home(path)
    with one_at_a_time(home.path):
        revoked = ca_fingerprint(certificate_text(home.ca))
        key = keys.new_key()
        replace(home.ca_key, keys.key_text(key))
        ca = _certified(home, key)
        hosts = home.settings.hosts
        replace(home.server_certificate, new_server_certificate(hosts, ca, key, now()))
        made = _told(home, ca, "revoke authority", revoked=revoked)
    return made | {
        "revoked": revoked,
        "superlink": "restart it: its processes trust the old one until then",
        "devices": "each: signfed node install BUNDLE --fingerprint FINGERPRINT --new-authority, "
        "and a restart",
    }


def _certified(home: Home, key: keys.PrivateKey) -> str:
    """A certificate of the key in place of the one before, which is put away."""
    before = certificate_text(home.ca)
    private_folder(home.removed)
    write_once(home.removed / f"ca-{ca_fingerprint(before)[:12]}.crt", before)
    ca = new_ca(home.settings.name, key, now())
    replace(home.ca, ca)
    return ca


def _told(home: Home, ca: str, act: str, **details: str) -> dict[str, Any]:
    """Bundles with this certificate for all nodes, and a line in the log."""
    bundles = []
    for node in read_roster(home.roster):
        replace(home.bundle(node.name), bundle_text(home, node, ca))
        bundles.append(str(home.bundle(node.name)))
    end = time_text(load_certificate(ca).not_valid_after_utc)
    audit(home, act, fingerprint=ca_fingerprint(ca), expires=end, **details)
    return {"fingerprint": ca_fingerprint(ca), "ca_expires": end, "bundles": bundles}
