"""Checks of the way to the SuperLink: its name, its port, its certificate, both clocks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509

from signfed.app.doctor.finding import SOON, Finding, error, fine, warning
from signfed.app.federation.ca import hosts_of, is_issued_by
from signfed.app.federation.doctor.world import NotTls, World
from signfed.app.federation.files import time_text

# What Flower allows between a node's clock and the server's, in seconds, and where it gets close.
AHEAD, BEHIND, CLOSE = 5.0, 305.0, 3.0
SET_CLOCK = "sudo timedatectl set-ntp true"


@dataclass(frozen=True)
class Way:
    """The way from a machine to a SuperLink.

    Attributes
    ----------
    host : str
    port : int
    ca : str
        The federation's authority, PEM.
    world : World
    start : str
        The command that starts the SuperLink, or who has to.
    renew : str
        The command that makes a new certificate.
    """

    host: str
    port: int
    ca: str
    world: World
    start: str
    renew: str

    @cached_property
    def resolves(self) -> bool:
        """Whether the name is known."""
        try:
            return bool(self.world.resolve(self.host))
        except OSError:
            return False

    @cached_property
    def answers(self) -> bool:
        """Whether something there speaks TLS."""
        try:
            return self.resolves and bool(self.shown)
        except OSError:
            return False

    @cached_property
    def shown(self) -> bytes:
        """The certificate that is shown, DER. Raises OSError where none is."""
        return self.world.served_certificate(self.host, self.port)


def name(way: Way) -> Finding:
    """Say whether the SuperLink's name is known here."""
    if not way.resolves:
        return error(
            "name",
            f"the name {way.host} is not known here",
            f"getent hosts {way.host}; add it to the DNS, or to /etc/hosts",
        )
    return fine("name", f"{way.host} is {', '.join(way.world.resolve(way.host))}")


def port(way: Way) -> list[Finding]:
    """Say whether something listens there, and that it speaks TLS."""
    if not way.resolves:
        return []
    where = f"{way.host}:{way.port}"
    try:
        way.world.connect(way.host, way.port)
    except ConnectionRefusedError:
        return [error("port", f"nothing listens at {where}", way.start)]
    except TimeoutError:
        return [
            error(
                "port",
                f"no answer from {where}: packets are dropped on the way",
                f"on the server: sudo ufw allow {way.port}/tcp; and the routers between",
            )
        ]
    except OSError as problem:
        return [error("port", f"no connection to {where}: {problem}", f"ping {way.host}")]
    try:
        found = way.shown
    except NotTls:
        found = b""
    except OSError as problem:
        return [error("port", f"the connection to {where} broke off: {problem}", way.start)]
    if not found:
        return [error("port", f"{where} is another program's: it does not speak TLS", way.start)]
    return [fine("port", f"{where} answers")]


def certificate(way: Way) -> list[Finding]:
    """Say whether the certificate that the SuperLink shows is right: chain, dates, names."""
    if not way.answers:
        return []
    shown = x509.load_der_x509_certificate(way.shown)
    if not is_issued_by(shown, way.ca):
        return [
            error(
                "certificate",
                f"{way.host}:{way.port} shows a certificate of another authority",
                "compare the address with the server's; if its owner replaced the authority: "
                "signfed node install BUNDLE --fingerprint FINGERPRINT --new-authority",
            )
        ]
    return list(judged(shown, way))


def judged(shown: x509.Certificate, way: Way) -> list[Finding]:
    """Say what is wrong with the dates and the names of a certificate.

    Parameters
    ----------
    shown : Certificate
    way : Way
    """
    moment, end = way.world.now(), shown.not_valid_after_utc
    if moment > end:
        return [error("certificate", f"it expired at {time_text(end)}", way.renew)]
    if moment < shown.not_valid_before_utc:
        begin = time_text(shown.not_valid_before_utc)
        return [
            error("certificate", f"it is valid from {begin} on, by this clock not yet", SET_CLOCK)
        ]
    names = hosts_of(shown)
    if _plain(way.host) not in map(_plain, names):
        return [
            error(
                "certificate",
                f"it is not for {way.host}, but for {', '.join(names)}",
                f"{way.renew} --host {way.host}",
            )
        ]
    if end - moment < SOON:
        return [warning("certificate", f"it expires at {time_text(end)}", way.renew)]
    return [fine("certificate", f"for {way.host}, until {time_text(end)}")]


def clock(way: Way) -> list[Finding]:
    """Say whether this clock fits the SuperLink's, which refuses a signature of another time."""
    if not way.answers:
        return []
    try:
        theirs = way.world.server_time(way.host, way.port)
    except (OSError, ValueError):
        return [warning("clock", "the SuperLink shows no time to compare with", SET_CLOCK)]
    ahead = (way.world.now() - theirs).total_seconds()
    text = f"this clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    if ahead > AHEAD or ahead < -BEHIND:
        return [error("clock", f"{text}; Flower refuses its signatures", SET_CLOCK)]
    if ahead > CLOSE or ahead < -BEHIND / 2:
        return [warning("clock", text, SET_CLOCK)]
    return [fine("clock", text)]


def _plain(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower().rstrip(".")
