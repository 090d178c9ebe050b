"""What is decided once for a federation, and where its files lie on the server."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.federation.files import as_text, read_json

FORMAT = "signfed-federation-1"
REMOVED = "removed"  # the folder of nodes that were removed
HOST = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?)+")
NUMBERS = re.compile(r"(^|\.)[0-9]+\.?$")  # no name ends in a number: it is a mistyped address
LOCAL = "127.0.0.1"  # where the server's own commands reach the SuperLink


@dataclass(frozen=True)
class Settings:
    """What is decided once.

    Attributes
    ----------
    name : str
    hosts : tuple of str
        Names and addresses of the server; nodes connect to the first.
    port : int
    bind : str
        Address on which the SuperLink listens.
    num_partitions : int
        The most nodes. Node p hosts the workers p, p + P, ...: with at most P workers, one each.
    created : str
    """

    name: str
    hosts: tuple[str, ...]
    port: int
    bind: str
    num_partitions: int
    created: str

    @property
    def address(self) -> str:
        """Where nodes connect: "host:port"."""
        host = self.hosts[0]
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def local_address(self) -> str:
        """Where commands on the server itself connect."""
        return f"{LOCAL}:{self.port}"

    def text(self) -> str:
        """Return what federation.json holds."""
        return as_text({"format": FORMAT, **asdict(self)})


@dataclass(frozen=True)
class Home:
    """The folder of a federation on its server.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @cached_property
    def settings(self) -> Settings:
        """What federation.json holds. Raises ConfigError where there is none."""
        what = "a federation's folder, as `signfed federation init` makes it"
        content = read_json(self.settings_file, what)
        if content.pop("format", None) != FORMAT:
            raise ConfigError(f"expected {what}; {self.settings_file} has another format")
        try:
            return Settings(**content | {"hosts": tuple(content["hosts"])})
        except (KeyError, TypeError):
            raise ConfigError(f"expected {what}; {self.settings_file} lacks a key") from None

    @property
    def settings_file(self) -> Path:
        return self.path / "federation.json"

    @property
    def ca_key(self) -> Path:
        return self.path / "ca.key"

    @property
    def ca(self) -> Path:
        return self.path / "ca.crt"

    @property
    def server_certificate(self) -> Path:
        """The server's private key and certificate."""
        return self.path / "server.pem"

    @property
    def database(self) -> Path:
        """The SuperLink's."""
        return self.path / "superlink.db"

    @property
    def roster(self) -> Path:
        """A file per node: which partition its key speaks for."""
        return self.path / "nodes"

    @property
    def removed(self) -> Path:
        """The files of nodes that were removed: their keys never come back."""
        return self.path / REMOVED

    @property
    def audit(self) -> Path:
        return self.path / "audit.jsonl"

    @property
    def start_script(self) -> Path:
        return self.path / "start-superlink.sh"

    @property
    def unit(self) -> Path:
        return self.path / "signfed-superlink.service"

    @property
    def containerfile(self) -> Path:
        return self.path / "Containerfile"

    @property
    def flower_home(self) -> Path:
        """FLWR_HOME of whoever submits runs: holds the connection."""
        return self.path / "flower"

    @property
    def superlink_home(self) -> Path:
        """FLWR_HOME of the SuperLink."""
        return self.path / "superlink"

    def entry(self, name: str) -> Path:
        """Return the place of a node's file."""
        return self.roster / f"{name}.json"

    def bundle(self, name: str) -> Path:
        """Return the place of a node's bundle."""
        return self.roster / f"{name}.bundle"


def check_host(host: str) -> str:
    """Return a name or an address that a certificate can hold.

    Parameters
    ----------
    host : str

    Raises
    ------
    ConfigError
        For any other text.

    Examples
    --------
    >>> check_host("fl.example.org"), check_host("2001:db8::1")
    ('fl.example.org', '2001:db8::1')
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if HOST.fullmatch(host) and not NUMBERS.search(host):
            return host
    raise ConfigError(f"host: expected a host name or an IP address, without port; got {host!r}")


def open_home(path: Path) -> Home:
    """Return the folder of a federation. Raises ConfigError where there is none.

    Parameters
    ----------
    path : Path
    """
    home = Home(path.expanduser().resolve())
    _ = home.settings  # read, and known to be a federation's
    return home
