"""What the server gives an approved device: signed by the federation's authority, not secret."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.federation import keys
from signfed.app.federation.ca import ca_fingerprint, ca_public_key
from signfed.app.federation.files import as_text, read_json, read_time
from signfed.app.federation.request import check_name

FORMAT = "signfed-bundle-1"


@dataclass(frozen=True)
class Bundle:
    """Everything that a device has to know of its federation.

    Attributes
    ----------
    federation : str
        Its name.
    name : str
        Of the node.
    public_key : str
        Of the node, in OpenSSH's form.
    node_id : str
        By which the SuperLink knows the key, in decimal digits.
    partition, num_partitions : int
        Which workers the node hosts: p, p + P, p + 2 P, ...
    address : str
        Of the SuperLink, "host:port".
    ca : str
        The authority's certificate, PEM.
    data_dir : str
        The node's data; empty for what the run config says.
    signfed, flwr : str
        Versions on the server.
    created, expires : str
        Moments, UTC. The server takes nothing from the node after the second.
    """

    federation: str
    name: str
    public_key: str
    node_id: str
    partition: int
    num_partitions: int
    address: str
    ca: str
    data_dir: str
    signfed: str
    flwr: str
    created: str
    expires: str


def write_bundle(bundle: Bundle, ca_key: keys.PrivateKey) -> str:
    """Return the text of a bundle, signed with the authority's key.

    Parameters
    ----------
    bundle : Bundle
    ca_key : PrivateKey
    """
    return as_text(keys.sign(FORMAT, asdict(bundle), ca_key))


def read_bundle(path: Path, expected: str) -> Bundle:
    """Return the bundle of the federation whose authority has this fingerprint.

    Parameters
    ----------
    path : Path
    expected : str
        The fingerprint, as it came by another way than the bundle; colons and case do not matter.

    Raises
    ------
    ConfigError
        When the bundle is another federation's, or was edited.
    """
    document = read_json(path, "a bundle as `signfed federation approve` writes it")
    try:
        ca = str(document.get("ca"))
        found = ca_fingerprint(ca)
        if found != expected.replace(":", "").strip().lower():
            raise ConfigError(
                f"its authority has the fingerprint {found}, expected {expected}; ask whoever runs "
                "the server for both anew (signfed federation list shows the fingerprint)"
            )
        content = keys.verify(FORMAT, document, ca_public_key(ca))
        del content["format"]
        bundle = Bundle(**content)
        read_time(bundle.created), read_time(bundle.expires), check_name(bundle.name)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (TypeError, ValueError):
        raise ConfigError(f"{path}: expected a bundle of the format {FORMAT}") from None
    return bundle


def check_bundle(bundle: Bundle, key: keys.PublicKey, moment: datetime) -> None:
    """Raise ConfigError unless a bundle is for this device, and still valid.

    Parameters
    ----------
    bundle : Bundle
    key : PublicKey
        The device's.
    moment : datetime
        The present one.
    """
    if keys.fingerprint(keys.read_public(bundle.public_key)) != keys.fingerprint(key):
        raise ConfigError(
            f"expected a bundle for this device's key; this one is for the key of {bundle.name!r}; "
            "approve this device's own request"
        )
    if moment >= read_time(bundle.expires):
        raise ConfigError(
            f"expected a bundle that is valid; it expired at {bundle.expires}; on the server: "
            f"signfed federation rotate DIR --node {bundle.name}"
        )
