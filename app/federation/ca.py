"""A federation's certificate authority and the server's certificate."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signfed.app.errors import ConfigError
from signfed.app.federation.keys import PrivateKey, PublicKey, new_key

CA_DAYS, SERVER_DAYS = 3650, 397  # 397: the longest that many TLS libraries take
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # Flower's own processes connect there
LATE = timedelta(minutes=10)  # clocks of devices are behind


def new_ca(name: str, key: PrivateKey, moment: datetime) -> str:
    """Return a certificate authority's own certificate, PEM.

    Parameters
    ----------
    name : str
        Of the federation.
    key : PrivateKey
    moment : datetime
        From which on it is valid.
    """
    subject = _named(f"{name} CA")
    certificate = (
        _certificate(subject, subject, key.public_key(), moment, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384())
    )
    return _pem(certificate)


def new_server_certificate(
    hosts: Sequence[str], ca: str, ca_key: PrivateKey, moment: datetime, days: int = SERVER_DAYS
) -> str:
    """Return the server's private key and its certificate, PEM, in one text.

    Both lie in one file, so that a renewal replaces them at once.

    Parameters
    ----------
    hosts : sequence of str
        Names and addresses by which nodes reach the server; loopback is added.
    ca : str
        The authority's certificate, PEM.
    ca_key : PrivateKey
    moment : datetime
    days : int
    """
    key, authority = new_key(), load_certificate(ca)
    names = list(dict.fromkeys([*hosts, *LOOPBACK]))
    certificate = (
        _certificate(_named(hosts[0][:64]), authority.subject, key.public_key(), moment, days)
        .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA384())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")
    return pem + _pem(certificate)


def load_certificate(pem: str) -> x509.Certificate:
    """Return the first certificate of a PEM text. Raises ConfigError when there is none."""
    start = pem.find("-----BEGIN CERTIFICATE-----")
    try:
        return x509.load_pem_x509_certificate(pem[max(start, 0) :].encode("ascii"))
    except ValueError:
        raise ConfigError("expected a certificate, PEM") from None


def certificate_text(file: Path) -> str:
    """Return what a file holds. Raises ConfigError when that is no certificate, PEM.

    Parameters
    ----------
    file : Path
        Of an authority's certificate, or the server's with its key.
    """
    try:
        text = file.read_text(encoding="ascii")
        load_certificate(text)
    except (OSError, ValueError, ConfigError):
        raise ConfigError(
            f"expected a certificate, PEM, in {file}; it holds none: `signfed federation doctor`, "
            "or on a device `signfed node doctor`, says how to mend it"
        ) from None
    return text


def ca_fingerprint(pem: str) -> str:
    """Return the SHA-256 of a certificate (DER), in hexadecimal digits."""
    return hashlib.sha256(
        load_certificate(pem).public_bytes(serialization.Encoding.DER)
    ).hexdigest()


def ca_public_key(pem: str) -> PublicKey:
    """Return the public key of a certificate. Raises ConfigError unless it lies on a curve."""
    key = load_certificate(pem).public_key()
    if not isinstance(key, PublicKey):
        raise ConfigError("expected a certificate whose key lies on an elliptic curve")
    return key


def is_issued_by(certificate: x509.Certificate, ca: str) -> bool:
    """Tell whether an authority signed a certificate.

    Parameters
    ----------
    certificate : Certificate
    ca : str
        The authority's certificate, PEM.
    """
    try:
        certificate.verify_directly_issued_by(load_certificate(ca))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses for which a certificate is valid.

    Parameters
    ----------
    certificate : Certificate
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found]


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, moment: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - LATE)
        .not_valid_after(moment + timedelta(days=days))
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
