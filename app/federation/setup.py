"""A federation's folder on its server, made once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.federation import scripts
from signfed.app.federation.ca import (
    ca_fingerprint,
    certificate_text,
    new_ca,
    new_server_certificate,
)
from signfed.app.federation.files import (
    SCRIPT_MODE,
    make_way,
    now,
    one_at_a_time,
    private_folder,
    time_text,
    write_once,
)
from signfed.app.federation.keys import key_text, load_key, new_key
from signfed.app.federation.request import check_name
from signfed.app.federation.roster import audit
from signfed.app.federation.settings import Home, Settings, check_host


def init(
    path: Path,
    hosts: Sequence[str],
    *,
    name: str = "",
    port: int = 8000,
    bind: str = "0.0.0.0",
    num_partitions: int = 1000,
) -> dict[str, Any]:
    """Make the folder of a federation; what is there already stays as it is.

    Parameters
    ----------
    path : Path
    hosts : sequence of str
        Names and addresses of the server; nodes connect to the first.
    name : str
        Of the federation; that of the folder by default.
    port : int
    bind : str
        Address on which the SuperLink listens.
    num_partitions : int
        The most nodes.

    Returns
    -------
    dict
        What was made, and the fingerprint of the authority.

    Raises
    ------
    ConfigError
        When a federation with other settings is there, or something is in the way.
    """
    path = path.expanduser().resolve()
    if not hosts:
        raise ConfigError("host: expected at least one name or address of this server")
    wanted = Settings(
        name=check_name(name or path.name.lower()),
        hosts=tuple(map(check_host, hosts)),
        port=port,
        bind=check_host(bind),
        num_partitions=num_partitions,
        created=time_text(now()),
    )
    _check_empty(path)
    home = Home(private_folder(path))
    with one_at_a_time(path):
        made = _make(home, wanted)
    return {
        "folder": str(path),
        "federation": wanted.name,
        "address": home.settings.address,
        "fingerprint": ca_fingerprint(certificate_text(home.ca)),
        "made": made,
        "start": str(home.start_script),
    }


def _check_empty(path: Path) -> None:
    """Raise ConfigError for a folder of something else."""
    if path.is_dir() and any(path.iterdir()) and not Home(path).ca_key.exists():
        raise ConfigError(f"expected a new or empty folder, or a federation's; {path} is neither")


def _make(home: Home, wanted: Settings) -> list[str]:
    """Each file unless it is there; federation.json first, so that settings never change."""
    made: list[Path] = []

    def write(file: Path, text: str, mode: int = 0o600) -> None:
        if write_once(file, text, mode):
            made.append(file)

    if not home.ca_key.exists():
        write(home.ca_key, key_text(new_key()))
    if home.settings_file.exists():
        _check_same(home.settings, wanted)
    else:
        write(home.settings_file, wanted.text())
    settings, moment = home.settings, now()
    ca_key = load_key(home.ca_key)
    if not home.ca.exists():
        write(home.ca, new_ca(settings.name, ca_key, moment))
    if not home.server_certificate.exists():
        ca = certificate_text(home.ca)
        write(home.server_certificate, new_server_certificate(settings.hosts, ca, ca_key, moment))
    for folder in (home.roster, home.flower_home, home.superlink_home):
        private_folder(folder)
    mark = time_text(moment).replace(":", "")
    for file, text, mode in (  # made of the above; a release may write them in another way
        (home.flower_home / "config.toml", scripts.connection(home), 0o600),
        (home.start_script, scripts.superlink_script(home), SCRIPT_MODE),
        (home.unit, scripts.superlink_unit(home), 0o600),
        (home.containerfile, scripts.containerfile(settings), 0o600),
    ):
        make_way(file, text, mark)
        write(file, text, mode)
    if made:
        audit(home, "init", federation=settings.name, hosts=list(settings.hosts))
    return [os.path.relpath(file, home.path) for file in made]


def _check_same(found: Settings, wanted: Settings) -> None:
    for key in ("name", "hosts", "port", "bind", "num_partitions"):
        if getattr(found, key) != getattr(wanted, key):
            raise ConfigError(
                f"expected the settings of the federation that is there; its {key} is "
                f"{getattr(found, key)!r}, got {getattr(wanted, key)!r}; choose another folder, or "
                "for another host name: signfed federation rotate DIR --host NAME"
            )
