"""What happens on a device: its key and request, then the bundle that answers it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import keys, scripts, systemd
from signfed.app.federation.bundle import Bundle, check_bundle, read_bundle
from signfed.app.federation.ca import ca_fingerprint, ca_public_key, certificate_text
from signfed.app.federation.files import (
    SCRIPT_MODE,
    absent,
    make_way,
    now,
    one_at_a_time,
    private_folder,
    read_time,
    write_once,
)
from signfed.app.federation.request import check_name, write_request

PORT = 9094  # Flower's own, on loopback


class NodeHome:
    """The folder of a node on its device.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()  # one text for a folder, however it is spelled
        self.key = self.path / "node.key"
        self.request = self.path / "request.csr"
        self.ca = self.path / "ca.crt"
        self.bundle = self.path / "node.bundle"
        self.script = self.path / "start-node.sh"
        self.flower = self.path / "flower"

    def unit(self, name: str) -> Path:
        """Return the place of the systemd unit of a node of that name."""
        return self.path / f"signfed-node-{name}.service"

    def installed(self) -> Bundle:
        """Return the bundle that is installed. Raises ConfigError when none is."""
        if not self.bundle.exists():
            raise ConfigError(
                f"expected a node that is installed in {self.path}: signfed node install BUNDLE"
            )
        return read_bundle(self.bundle, ca_fingerprint(certificate_text(self.ca)))


def request(out: Path, home_path: Path, name: str = "") -> dict[str, Any]:
    """Make this device's key, which stays here, and write its request.

    Parameters
    ----------
    out : Path
        The request, a text that holds nothing secret.
    home_path : Path
        Of the node.
    name : str
        Of the node; that of the file by default.

    Raises
    ------
    ConfigError
        When another request lies in either place.
    """
    home = NodeHome(home_path)
    name = check_name(name or out.stem)
    private_folder(home.path)
    with one_at_a_time(home.path):
        made = not home.key.exists()
        if made:
            write_once(home.key, keys.key_text(keys.new_key()))
        key = keys.load_key(home.key)
        if not home.request.exists():
            write_once(home.request, write_request(name, key))
        text = home.request.read_text(encoding="utf-8")
        if f'"name": "{name}"' not in text:
            raise ConfigError(
                f"name: the request in {home.path} has another name than {name!r}; a second node "
                "on this device takes another --home"
            )
        write_once(out.absolute(), text, 0o644)
    return {
        "name": name,
        "request": str(out.absolute()),
        "home": str(home.path),
        "key": keys.fingerprint(key.public_key()),
        "made": made,
    }


def install(
    bundle_file: Path,
    fingerprint: str,
    home_path: Path,
    *,
    data_dir: str | None = None,
    port: int | None = None,
    start: bool = False,
    new_authority: bool = False,
) -> dict[str, Any]:
    """Check a bundle and set the node up: authority, start script, systemd unit.

    Parameters
    ----------
    bundle_file : Path
        What the server gave this device.
    fingerprint : str
        Of the federation's authority, as it came by another way than the bundle.
    home_path : Path
        Of the node.
    data_dir : str, optional
        Where this device has its data, in place of what the bundle says; relative to the folder
        where the command is given; "" for the bundle's.
    port : int, optional
        On loopback, for Flower's own processes; a second node takes another. Where neither is
        given, what this device was set up with before stays.
    start : bool
        Whether to start the node, with systemd, now (anew where it runs) and whenever the device
        starts.
    new_authority : bool
        Whether the federation's authority may be another one than before: its key had leaked, and
        its owner says so by the same way as the fingerprint.

    Returns
    -------
    dict
        What was made, and how the node is started.

    Raises
    ------
    ConfigError
        When the bundle is not in order, or not for this device; nothing was changed then. When
        systemd refuses, with what it said.
    """
    home = NodeHome(home_path)
    key = keys.load_key(home.key)
    bundle = read_bundle(bundle_file, fingerprint)
    check_bundle(bundle, key.public_key(), now())
    if start:
        systemd.expect_a_user()
    before = _before(home)
    if data_dir is None:
        data_dir = before.get("data-dir", "")
    elif data_dir:
        data_dir = str(Path(data_dir).expanduser().absolute())
    if port is None:
        port = int(before["--port"]) if before.get("--port", "").isdecimal() else PORT
    arguments = _arguments(home, bundle, data_dir or bundle.data_dir, port)
    unit = home.unit(bundle.name)
    if start:
        systemd.expect_own(unit)
    wanted = (
        (home.ca, bundle.ca, 0o600),
        (home.script, scripts.node_script(home.path, arguments, bundle.node_id), SCRIPT_MODE),
        (unit, scripts.node_unit(bundle.name, home.script, home.path), 0o600),
        (home.bundle, bundle_file.read_text(encoding="utf-8"), 0o600),
    )
    with one_at_a_time(home.path):
        older = _replaced(home, bundle, wanted[-1][1], new_authority)
        if older is None and not new_authority:  # which may have broken off without a bundle
            absent(home.ca, bundle.ca)
        private_folder(home.flower)
        mark = (older or bundle).created.replace(":", "")
        for file, text, _ in reversed(wanted):  # what is half done has no bundle
            make_way(file, text, mark)
        made = [
            os.path.relpath(file, home.path)
            for file, text, mode in wanted
            if write_once(file, text, mode)
        ]
    return {
        "name": bundle.name,
        "federation": bundle.federation,
        "address": bundle.address,
        "partition": bundle.partition,
        "expires": bundle.expires,
        "home": str(home.path),
        "made": made,
        "start": str(home.script),
        "started": systemd.start(unit, mark) if start else "not asked for",
    }


def _arguments(home: NodeHome, bundle: Bundle, data_dir: str, port: int) -> list[str]:
    """Of `flower-supernode`."""
    config = f"partition-id={bundle.partition} num-partitions={bundle.num_partitions}"
    if "'" in data_dir or '"' in data_dir:
        raise ConfigError(f"data-dir: expected a folder without quotes in its name; got {data_dir}")
    if data_dir:
        config += f" data-dir='{data_dir}'"
    return [
        "--superlink", bundle.address,
        "--root-certificates", str(home.ca),
        "--auth-supernode-private-key", str(home.key),
        "--host", "127.0.0.1", "--port", str(port),
        "--node-config", config,
    ]  # fmt: skip


def _replaced(home: NodeHome, bundle: Bundle, text: str, new_authority: bool) -> Bundle | None:
    """The older bundle of the same federation that this one takes the place of; None for none."""
    if not home.bundle.exists() or home.bundle.read_text("utf-8", "replace") == text:
        return None
    before = home.installed()
    if bundle.federation != before.federation:
        raise ConfigError(
            f"expected a bundle of the federation {before.federation!r}, for which {home.path} is "
            f"set up; this one is of {bundle.federation!r}, which takes another --home"
        )
    old, new = ca_public_key(before.ca), ca_public_key(bundle.ca)
    same = keys.fingerprint(old) == keys.fingerprint(new)  # a renewed authority keeps its key
    if not (same or new_authority):
        raise ConfigError(
            f"expected a bundle of the authority that {home.path} trusts; if the server's owner "
            "says that another one took its place: --new-authority; else another --home"
        )
    if read_time(bundle.created) < read_time(before.created):
        raise ConfigError(
            f"expected a bundle that is newer than the one installed ({before.created}); this one "
            f"is of {bundle.created}"
        )
    return before


def _before(home: NodeHome) -> dict[str, str]:
    """What the last start script hands to Flower, in place or put aside; empty without one."""
    asides = sorted(home.path.glob(f"{home.script.name}.*"), key=lambda file: file.stat().st_mtime)
    script = home.script if home.script.exists() else next(reversed(asides), None)
    return scripts.read_node_script(script.read_text("utf-8", "replace")) if script else {}
