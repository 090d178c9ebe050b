"""Renew what expires, on a running federation: the server's certificate, a node's approval."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import psutil
from cryptography import x509

from signfed.app.federation import superlink
from signfed.app.federation.ca import certificate_text, load_certificate, new_server_certificate
from signfed.app.federation.doctor.world import served_certificate
from signfed.app.federation.entry import DAYS, until
from signfed.app.federation.files import now, one_at_a_time, replace, time_text
from signfed.app.federation.keys import load_key, read_public
from signfed.app.federation.nodes import bundle_text
from signfed.app.federation.roster import audit, find
from signfed.app.federation.scripts import SUPERLINK
from signfed.app.federation.settings import LOCAL, Home, check_host, open_home

PATIENCE, LOOK = 10.0, 0.2  # seconds for the SuperLink to show the new certificate


def rotate(path: Path, hosts: Sequence[str] = ()) -> dict[str, Any]:
    """Renew the server's certificate; a SuperLink that runs takes it without a restart.

    Nodes have nothing to do: they trust the authority, which stays.

    Parameters
    ----------
    path : Path
        Of the federation.
    hosts : sequence of str
        Names and addresses that the certificate is for besides those of before.

    Returns
    -------
    dict
        Until when it is valid, and whether the SuperLink shows it.
    """
    home = open_home(path)
    with one_at_a_time(home.path):
        settings = home.settings
        names = tuple(dict.fromkeys([*settings.hosts, *map(check_host, hosts)]))
        if names != settings.hosts:
            settings = with_changes(settings, hosts=names)
            replace(home.settings_file, settings.text())
        ca, ca_key = certificate_text(home.ca), load_key(home.ca_key)
        text = new_server_certificate(names, ca, ca_key, now())
        replace(home.server_certificate, text)
        certificate = load_certificate(text)
        end = time_text(certificate.not_valid_after_utc)
        audit(home, "rotate", hosts=list(names), expires=end)
    told = _tell(home)
    shown = told and _shows(settings.port, certificate.serial_number)
    return {
        "hosts": list(names),
        "certificate_expires": end,
        "superlink": "shows it" if shown else "restart it" if told else "at its next start",
    }


def renew(path: Path, name: str, days: int | None = None) -> dict[str, Any]:
    """Approve a node for longer, on a running federation; nothing has to be done on the device.

    The new bundle is for a device that is set up again. A SuperLink whose database is new learns
    the node's key again; one that does not answer is left as it is.

    Parameters
    ----------
    path : Path
        Of the federation.
    name : str
        Of the node.
    days : int, optional
        From now on; 365 by default.

    Returns
    -------
    dict
        Until when the node is approved, and its bundle's place.

    Raises
    ------
    ConfigError
        When there is no such node, or Flower refuses its key.
    """
    home = open_home(path)
    with one_at_a_time(home.path):
        node, ca = find(home, name), certificate_text(home.ca)
        key = read_public(node.public_key)
        try:
            node_id = superlink.register(home.settings.local_address, ca, key, name)
        except superlink.SuperLinkSilent:
            if not node.node_id:  # its approval was interrupted
                raise
            node_id = node.node_id
        node = with_changes(node, node_id=node_id, expires=until(now(), days or DAYS))
        replace(home.entry(name), node.text())
        replace(home.bundle(name), bundle_text(home, node, ca))
        audit(home, "renew", name=name, key=node.key, expires=node.expires)
    return {"name": name, "expires": node.expires, "bundle": str(home.bundle(name))}


def _tell(home: Home) -> bool:
    """Send SIGHUP to the SuperLink of this federation; whether one runs."""
    told = False
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if SUPERLINK in command and str(home.server_certificate) in command:
            process.send_signal(signal.SIGHUP)
            told = True
    return told


def _shows(port: int, serial: int) -> bool:
    """Whether the SuperLink shows the certificate of this number, before long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            shown = x509.load_der_x509_certificate(served_certificate(LOCAL, port))
            if shown.serial_number == serial:
                return True
        except (OSError, ValueError):
            pass
        time.sleep(LOOK)
    return False
