"""A device's request to take part: a small text that holds nothing secret.

The device proves that it has the private key by signing the request with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys
from signfed.app.federation.files import as_text, now, read_json, time_text
from signfed.app.runs.versions import versions

FORMAT = "signfed-request-1"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Request:
    """What a device asks for.

    Attributes
    ----------
    name : str
        Of the node, as the server's lists show it.
    public_key : str
        In OpenSSH's form.
    versions : mapping
        Of python, signfed, flwr, torch and numpy on the device.
    """

    name: str
    public_key: str
    versions: Mapping[str, str]


def check_name(name: str) -> str:
    """Return a name that a node can have.

    Parameters
    ----------
    name : str

    Raises
    ------
    ConfigError
        For any other text.

    Examples
    --------
    >>> check_name("pi-1")
    'pi-1'
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"name: expected 1 to 40 lower-case letters, digits and hyphens; got {name!r}; "
            "give one with --name"
        )
    return name


def write_request(name: str, key: keys.PrivateKey) -> str:
    """Return the text of a request, signed with the node's key.

    Parameters
    ----------
    name : str
    key : PrivateKey
    """
    content: dict[str, Any] = {
        "name": check_name(name),
        "public_key": keys.public_text(key.public_key()),
        "versions": versions(),
        "created": time_text(now()),
    }
    return as_text(keys.sign(FORMAT, content, key))


def read_request(path: Path) -> Request:
    """Return a request whose sender has the private key.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ConfigError
        When it is no request, or was edited on the way.
    """
    document = read_json(path, "a request as `signfed node request` writes it")
    try:
        key = keys.read_public(document.get("public_key"))
        content = keys.verify(FORMAT, document, key)
    except ConfigError as error:
        raise ConfigError(
            f"{path}: {error}; make it anew on the device: signfed node request"
        ) from None
    said = content.get("versions")
    found = {str(k): str(v) for k, v in said.items()} if isinstance(said, dict) else {}
    return Request(check_name(str(content.get("name"))), keys.public_text(key), found)
