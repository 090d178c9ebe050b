"""Checks of a federation's authority, of its server's certificate, and of who shows it."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from signfed.app.doctor.finding import Finding, error, fine, warning
from signfed.app.errors import ConfigError
from signfed.app.federation import keys
from signfed.app.federation.ca import ca_public_key, is_issued_by, load_certificate
from signfed.app.federation.doctor import machine, network
from signfed.app.federation.doctor.federation import Server
from signfed.app.federation.doctor.world import NotTls
from signfed.app.federation.settings import LOCAL

LAST_YEAR = timedelta(days=365)


def authority(server: Server) -> Finding:
    """Say whether the authority is whole: its key, its certificate, that they belong together."""
    home = server.home
    restore = f"restore {home.ca_key} and {home.ca} from your backup"
    if not home.ca_key.exists() or not home.ca.exists():
        return error("authority", "ca.key or ca.crt is gone", restore)
    if finding := machine.private("authority", home.ca_key):
        return finding
    own = keys.load_key(home.ca_key).public_key()
    try:
        shown = ca_public_key(server.ca)
    except ConfigError:
        return error("authority", f"{home.ca} holds no certificate", restore)
    if keys.fingerprint(own) != keys.fingerprint(shown):
        return error("authority", "ca.key is not the key of ca.crt", restore)
    end, moment = load_certificate(server.ca).not_valid_after_utc, server.world.now()
    if end - moment < LAST_YEAR:
        return warning(
            "authority", f"it ends at {end:%Y-%m-%d}, and with it all bundles",
            f"signfed federation rotate {home.path} --authority; the new bundles to the devices",
        )  # fmt: skip
    return fine("authority", f"until {end:%Y-%m-%d}")


def server_certificate(server: Server) -> list[Finding]:
    """Say whether the server's certificate in its file is right: key, chain, dates, names."""
    home = server.home
    path = home.server_certificate
    if not path.exists():
        return [error("server certificate", f"{path} is gone", server.rotate)]
    if finding := machine.private("server certificate", path):
        return [finding]
    text = path.read_text(encoding="ascii", errors="replace")
    try:
        certificate = load_certificate(text)
        key = serialization.load_pem_private_key(text.encode("ascii"), None)
    except (ConfigError, ValueError):
        return [error("server certificate", f"{path} holds no key and certificate", server.rotate)]
    if key.public_key() != certificate.public_key():
        return [error("server certificate", "its key is another one's", server.rotate)]
    if not is_issued_by(certificate, server.ca):
        return [error("server certificate", "it is of another authority", server.rotate)]
    if not server.clock_is_right:  # dates would be judged by it
        return []
    found: list[Finding] = []
    for host in home.settings.hosts:
        way = network.Way(
            host, home.settings.port, server.ca, server.world, server.start, server.rotate
        )
        found += network.judged(certificate, way)
    worst = [finding for finding in found if finding.level != "ok"] or found[:1]
    return [Finding("server certificate", f.level, f.found, f.remedy) for f in worst]


def port(server: Server) -> Finding:
    """Say whether this federation's SuperLink listens on its port, with its present certificate."""
    home = server.home
    where, remedy = f"port {home.settings.port}", server.start
    try:
        shown = server.world.served_certificate(LOCAL, home.settings.port)
    except NotTls:
        return error(
            "port", f"{where} is another program's", f"sudo ss -ltnp 'sport = {home.settings.port}'"
        )
    except OSError:
        return error("port", f"the SuperLink does not run: nothing answers at {where}", remedy)
    served = x509.load_der_x509_certificate(shown)
    if not is_issued_by(served, server.ca):
        return error(
            "port", f"{where} is another federation's SuperLink",
            f"sudo ss -ltnp 'sport = {home.settings.port}'",
        )  # fmt: skip
    own = _own_serial(server)
    if own is not None and served.serial_number != own:
        return warning("port", "the SuperLink shows an older certificate", server.rotate)
    return fine("port", f"the SuperLink answers at {where}")


def _own_serial(server: Server) -> int | None:
    """The number of the certificate in the file; None where another check names what is wrong."""
    try:
        text = server.home.server_certificate.read_text(encoding="ascii", errors="replace")
        return load_certificate(text).serial_number
    except (ConfigError, OSError):
        return None
