"""Keys on the curve P-384, and texts that are signed with them.

A node's private key is kept as OpenSSH writes it, which is what Flower's SuperNode reads.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signfed.app.errors import ConfigError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey
ECDSA = ec.ECDSA(hashes.SHA384())


class BadSignature(ConfigError):
    """A signed text is not what its signer signed."""


def new_key() -> PrivateKey:
    """Make a private key."""
    return ec.generate_private_key(ec.SECP384R1())


def key_text(key: PrivateKey) -> str:
    """Return a private key as OpenSSH writes it, without a passphrase."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode("ascii")


def load_key(path: Path) -> PrivateKey:
    """Return the private key of a file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ConfigError
        When there is none, or one of another kind.
    """
    try:
        key = serialization.load_ssh_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"expected a private key; {path}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            f"expected a private key as `signfed node request` writes it; {path} holds none"
        ) from None
    if not isinstance(key, PrivateKey):
        raise ConfigError(f"expected a key on the curve P-384; {path} holds another kind")
    return key


def public_text(key: PublicKey) -> str:
    """Return a public key in OpenSSH's form, one line, which `flwr supernode register` reads."""
    return key.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode("ascii")


def public_pem(key: PublicKey) -> bytes:
    """Return a public key in the form that the SuperLink registers and compares."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_public(text: object) -> PublicKey:
    """Return the key that `public_text` wrote. Raises ConfigError for any other text."""
    try:
        key = serialization.load_ssh_public_key(str(text).encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("expected a public key in OpenSSH's form") from None
    if not (isinstance(key, PublicKey) and isinstance(key.curve, ec.SECP384R1)):
        raise ConfigError("expected a public key on the curve P-384")
    return key


def fingerprint(key: PublicKey) -> str:
    """Return the SHA-256 of a public key (DER, SubjectPublicKeyInfo), in hexadecimal digits."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


@lru_cache(maxsize=4096)  # the same nodes are looked at before every round
def fingerprint_of_pem(pem: bytes) -> str:
    """Return the fingerprint of a key as the SuperLink holds it; "" for what is no such key.

    Parameters
    ----------
    pem : bytes
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return ""
    return fingerprint(key) if isinstance(key, PublicKey) else ""


def sign(kind: str, content: Mapping[str, Any], key: PrivateKey) -> dict[str, Any]:
    """Return a document: the content, its kind, and the signature of both.

    Parameters
    ----------
    kind : str
        Such as "signfed-bundle-1": a signature of one kind is none of another.
    content : mapping
        What JSON can hold.
    key : PrivateKey
    """
    document = {"format": kind, **content}
    signature = key.sign(_canonical(document), ECDSA)
    return document | {"signature": base64.b64encode(signature).decode("ascii")}


def verify(kind: str, document: Mapping[str, Any], key: PublicKey) -> dict[str, Any]:
    """Return what a document says, known to be signed with this key.

    Parameters
    ----------
    kind : str
        That it has to be of.
    document : mapping
    key : PublicKey

    Raises
    ------
    BadSignature
        When the document is of another kind, or not what was signed.
    """
    content = {name: value for name, value in document.items() if name != "signature"}
    if content.get("format") != kind:
        raise BadSignature(f"expected a document of the format {kind}")
    try:
        signature = base64.b64decode(str(document.get("signature")), validate=True)
        key.verify(signature, _canonical(content), ECDSA)
    except (InvalidSignature, ValueError):  # what is no base64, or no JSON that could be signed
        raise BadSignature("the signature does not fit: it was edited, or cut off") from None
    return content


def _canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: the same for the same content, however it is laid out."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")
