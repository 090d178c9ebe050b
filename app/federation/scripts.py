"""Start scripts, systemd units and a container file: texts, made of what is known."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from signfed.app.errors import ConfigError
from signfed.app.federation.admission import VARIABLE
from signfed.app.federation.settings import Home, Settings
from signfed.app.node import supernode

BIN = Path(sys.executable).parent  # where this Python and Flower's programs are
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
CONNECTION = "signfed"  # its name in config.toml
SUPERLINK = "signfed.app.federation.serve"  # the modules that are started
SUPERNODE = supernode.ITSELF
IN_CONTAINER = Path("/federation")


def superlink_script(home: Home) -> str:
    """Return the script that starts a federation's SuperLink.

    Parameters
    ----------
    home : Home
    """
    return _script(
        "Starts the SuperLink of this federation. Written by `signfed federation init`.",
        home.path,
        _superlink_variables(home),
        [str(BIN / "python"), *_superlink_arguments(home, home.settings)],
    )


def superlink_unit(home: Home) -> str:
    """Return the systemd unit of a federation's SuperLink.

    Parameters
    ----------
    home : Home
    """
    what = f"SuperLink of the federation {home.settings.name}"
    return _unit(what, home.start_script, home.path, rest=10, tries=5, within=600)


def containerfile(settings: Settings) -> str:
    """Return a container file for the SuperLink; the federation's folder is mounted into it.

    Parameters
    ----------
    settings : Settings
    """
    home = Home(IN_CONTAINER)
    variables = "".join(f"ENV {k}={v}\n" for k, v in _superlink_variables(home).items())
    command = ", ".join(f'"{part}"' for part in ["python", *_superlink_arguments(home, settings)])
    return (
        f"# The SuperLink of the federation {settings.name}. Written by `signfed federation init`."
        "\n# In this folder; SIGNFED is what pip installs, the address of a wheel:\n"
        f"#   docker build -t signfed-superlink -f Containerfile --build-arg SIGNFED=... .\n"
        f"#   docker run --init --user $(id -u) -p {settings.port}:{settings.port} "
        f"-v $PWD:{IN_CONTAINER} signfed-superlink\n"
        "FROM python:3.11-slim\n"
        # No default: no index has us, and who took our name there would be given the keys.
        "ARG SIGNFED\n"
        "RUN pip install --no-cache-dir "
        '"${SIGNFED:?expected --build-arg SIGNFED=, the address of a wheel}"\n'
        f"{variables}"
        f"WORKDIR {IN_CONTAINER}\n"
        f"EXPOSE {settings.port}\n"
        f"CMD [{command}]\n"
    )


def connection(home: Home) -> str:
    """Return Flower's config.toml, for whoever submits runs on the server itself.

    Parameters
    ----------
    home : Home
    """
    return (
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f'address = "{home.settings.local_address}"\nroot-certificates = "{home.ca}"\n'
    )


def node_script(home: Path, arguments: Sequence[str], node_id: str = "") -> str:
    """Return the script that starts a device's SuperNode.

    Parameters
    ----------
    home : Path
        Of the node.
    arguments : sequence of str
        Of `flower-supernode`.
    node_id : str
        By which the SuperLink knows the node's key.
    """
    return _script(
        "Starts this device's node. Written by `signfed node install`.",
        home,
        {"FLWR_HOME": str(home / "flower"), supernode.NODE_ID: node_id, **QUIET},
        [str(BIN / "python"), "-m", SUPERNODE, *arguments],
    )


def read_node_script(text: str) -> dict[str, str]:
    """Return what a start script hands to Flower: its options, and the keys of the node config.

    Parameters
    ----------
    text : str
        Of the script.

    Returns
    -------
    dict
        "--superlink", "--port", "partition-id", ...; empty where the script is of another form.
    """
    try:
        words = shlex.split(text.strip().rpartition("\n")[2])
        given = dict(pairwise(words))
        pairs = (pair.partition("=") for pair in shlex.split(given.get("--node-config", "")))
        return given | {key: value for key, _, value in pairs}
    except ValueError:  # a quote that is not closed
        return {}


def node_unit(name: str, script: Path, home: Path) -> str:
    """Return the systemd unit of a device's node.

    Parameters
    ----------
    name : str
    script : Path
        What it starts.
    home : Path
        Of the node.
    """
    # A clock that is set by the network may take minutes; until then no server takes its signature.
    return _unit(f"signfed node {name}", script, home, rest=30, tries=20, within=3600)


def _superlink_variables(home: Home) -> dict[str, str]:
    return {"FLWR_HOME": str(home.superlink_home), VARIABLE: str(home.roster), **QUIET}


def _superlink_arguments(home: Home, settings: Settings) -> list[str]:
    certificate = str(home.server_certificate)
    return [
        "-m", SUPERLINK,
        "--host", settings.bind, "--port", str(settings.port),
        "--ssl-certfile", certificate, "--ssl-keyfile", certificate,
        "--ssl-ca-certfile", str(home.ca),
        "--enable-supernode-auth",
        "--database", str(home.database),
        "--disable-runtime-dependency-installation",
    ]  # fmt: skip


def _script(what: str, folder: Path, variables: Mapping[str, str], command: Sequence[str]) -> str:
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return (
        f"#!/bin/sh\n# {what}\nset -eu\numask 077\ncd {shlex.quote(str(folder))}\n{exports}"
        f'export PATH={shlex.quote(str(BIN))}:"$PATH"  # Flower starts its programs by name\n'
        f"exec {shlex.join(command)}\n"
    )


def _unit(
    description: str, script: Path, folder: Path, *, rest: int, tries: int, within: int
) -> str:
    """A unit that restarts after a failure, and gives up after some in a while (seconds)."""
    return f"""# In ~/.config/systemd/user; in /etc/systemd/system it needs User= as well.
[Unit]
Description={description}
Wants=network-online.target
After=network-online.target time-sync.target
StartLimitIntervalSec={within}
StartLimitBurst={tries}

[Service]
ExecStart=/bin/sh {_quoted(script)}
WorkingDirectory={_path(folder)}
Restart=on-failure
RestartSec={rest}
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def _quoted(path: Path) -> str:
    return f'"{_path(path)}"'


def _path(path: Path) -> str:
    """A path as systemd reads it, where % begins a specifier."""
    text = str(path)
    if any(c in text for c in '"\\\n'):
        raise ConfigError(f"expected a folder without quotes and backslashes; got {text}")
    return text.replace("%", "%%")
